//! Webhooks that fail by their own plans while faults are on.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use fastrand::Rng;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use testkit::{Answer, FakeServer, FaultSwitch};

use crate::tls;

/// One webhook.
pub struct Receiver {
    pub fake: FakeServer,
    pub url: String,
    /// Whether it sometimes refuses messages permanently.
    pub refuses: bool,
}

impl Receiver {
    /// Starts a webhook with an address, with a name, or behind TLS.
    pub async fn start(index: usize, fault_switch: &FaultSwitch, random: &mut Rng) -> Self {
        let severity = [0, 60, 130, 200, 250][random.usize(..5)];
        let refuses = random.u8(..) < 60;
        let (mut faults, switch) = (random.fork(), fault_switch.clone());
        let fake = FakeServer::start(move |_| {
            if switch.is_on() && faults.u8(..) < severity {
                fault(&mut faults, refuses)
            } else {
                Answer::ok()
            }
        })
        .await;
        let address: SocketAddr = fake.url().trim_start_matches("http://").parse().unwrap();
        let url = match random.u8(..4) {
            0 => format!("http://receiver-{index}.test:{}/hook", address.port()),
            1 => {
                let (mut faults, switch) = (random.fork(), fault_switch.clone());
                let front = tls::listen(address, move || !(switch.is_on() && faults.u8(..) < 100)).await;
                format!("https://{front}/hook")
            }
            _ => format!("{}/hook", fake.url()),
        };
        Self { fake, url, refuses }
    }
}

fn fault(random: &mut Rng, refuses: bool) -> Answer {
    let short = Duration::from_millis(random.u64(1..30));
    match random.u8(..100) {
        0..40 => Answer::status([500, 502, 503, 504][random.usize(..4)]),
        40..48 => Answer::rate_limited(random.u64(0..2_000).to_string()),
        48..52 => Answer::rate_limited("Sat, 21 Nov 2026 04:30:00 GMT"),
        52..58 => Answer::status(429),
        58..68 => Answer::ResetBefore,
        68..78 => Answer::ResetAfter,
        78..81 => Answer::EndlessBody,
        81..84 => Answer::Late(Duration::from_millis(200)),
        84..88 => Answer::SlowBody(short),
        88..92 => Answer::Late(short),
        _ if refuses => Answer::status(410),
        _ => Answer::status(408),
    }
}

/// DNS that resolves every name to the loopback, when it answers.
pub struct Names {
    fault_switch: FaultSwitch,
    random: Mutex<Rng>,
}

impl Names {
    pub fn failing_in(fault_switch: &FaultSwitch, random: Rng) -> Arc<Self> {
        Arc::new(Self { fault_switch: fault_switch.clone(), random: Mutex::new(random) })
    }
}

impl Resolve for Names {
    fn resolve(&self, _: Name) -> Resolving {
        let fails = self.fault_switch.is_on() && self.random.lock().unwrap().u8(..) < 100;
        Box::pin(async move {
            if fails {
                return Err(io::Error::other("no such host is known").into());
            }
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            Ok(Box::new(std::iter::once(address)) as Addrs)
        })
    }
}
