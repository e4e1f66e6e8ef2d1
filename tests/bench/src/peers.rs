//! Compares `segue serve` with qhook, which also takes webhooks, stores them and delivers them in one Rust
//! program: with the same logins, killed, and on a full disk.

use std::{
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use faults::Faults;
use tempfile::TempDir;

use crate::{
    adapters::{self, Program, Sink},
    forwarding::{self, CONNECTIONS, LOGINS, ROUNDS, Row, TIME},
    logins::{Logins, Sent},
    median, since_epoch,
};

/// The number of logins that are sent one by one, and the time between them.
const SINGLE: usize = 400;
const PAUSE: Duration = Duration::from_millis(10);

/// How often a program is killed, and how often its disk is filled.
const KILLS: usize = 5;
const FULL_DISKS: usize = 3;

/// The time under load before the disk is full, and on the full disk.
const BEFORE: Duration = Duration::from_secs(1);
const FULL: Duration = Duration::from_secs(2);

/// A login that was accepted is gone if none arrived for this long. qhook repeats a failed delivery after 48 to
/// 72 s.
const QUIET: Duration = Duration::from_secs(90);

/// After all have arrived, none is repeated any more if none arrived for this long.
const LAST_REPEAT: Duration = Duration::from_secs(3);

#[derive(Clone, Copy)]
enum Peer {
    Qhook,
    Segue,
    SegueWithoutPage,
}

const PEERS: [Peer; 3] = [Peer::Qhook, Peer::Segue, Peer::SegueWithoutPage];

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::Qhook => "qhook",
            Self::Segue => "segue serve",
            Self::SegueWithoutPage => "segue serve --page off",
        }
    }

    /// Starts the program with its store in this folder. It delivers to the sink.
    async fn start(self, data: TempDir, sink: &Sink, prepare: impl FnOnce(&mut Command)) -> Program {
        let receiver = format!("{}/logins", sink.receivers[0]);
        let options = match self {
            Self::Qhook => return adapters::qhook_in(data, &receiver, prepare).await,
            Self::Segue => &[][..],
            Self::SegueWithoutPage => adapters::WITHOUT_PAGE,
        };
        adapters::segue_in(data, &sink.url, &[receiver], options, prepare).await
    }
}

/// One round under load, and the logins that were then sent one by one.
struct Round {
    row: Row,
    single_median: f64,
    single_p99: f64,
    memory: f64,
}

/// The result of faults.
struct Loss {
    accepted: usize,
    not_accepted: usize,
    gone: usize,
    repeated: usize,
}

/// Prints the tables. The programs run alternately, and the medians of the rounds are compared.
pub async fn compare() {
    let logins = Logins::sign(LOGINS);
    let mut rounds = PEERS.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (rounds, peer) in rounds.iter_mut().zip(PEERS) {
            rounds.push(round(peer, &logins).await);
        }
    }
    let (mut killed, mut filled) = (Vec::new(), Vec::new());
    for peer in PEERS {
        killed.push(kill(peer, &logins).await);
        filled.push(fill(peer, &logins).await);
    }

    println!(
        "\n{CONNECTIONS} connections, {TIME:?} a round; then {SINGLE} logins one by one, {PAUSE:?} apart; medians of \
         {ROUNDS} rounds\n"
    );
    println!("| | qhook | segue serve | ratio | `--page off` | ratio |");
    println!("|---|---|---|---|---|---|");
    let line = |name: &str, digits: usize, figure: fn(&Round) -> f64| {
        let [qhook, segue, off] = [0, 1, 2].map(|peer| median(rounds[peer].iter().map(figure).collect()));
        println!(
            "| {name} | {qhook:.digits$} | {segue:.digits$} | {:.3} | {off:.digits$} | {:.3} |",
            segue / qhook,
            off / qhook
        );
    };
    line("accepted webhooks a second", 0, |round| round.row.accepted);
    line("delivered webhooks a second", 0, |round| round.row.delivered);
    line("median latency of the answer, ms", 2, |round| round.row.median);
    line("p99 latency of the answer, ms", 2, |round| round.row.p99);
    line("p99 from sent to received, ms", 1, |round| round.row.received_p99);
    line("one by one: median from sent to received, ms", 2, |round| round.single_median);
    line("one by one: p99 from sent to received, ms", 2, |round| round.single_p99);
    line("peak memory, MiB", 1, |round| round.memory);

    println!("\n| fault | program | answered 200 | gone | arrived again | not answered 200 |");
    println!("|---|---|---|---|---|---|");
    for (fault, losses) in
        [(format!("{KILLS} × SIGKILL"), &killed), (format!("{FULL_DISKS} × full disk"), &filled)]
    {
        for (peer, loss) in PEERS.iter().zip(losses) {
            println!(
                "| {fault} | {} | {} | {} | {} | {} |",
                peer.name(),
                loss.accepted,
                loss.gone,
                loss.repeated,
                loss.not_accepted
            );
        }
    }
}

async fn round(peer: Peer, logins: &Arc<Logins>) -> Round {
    let sink = Sink::start().await;
    let program = peer.start(adapters::folder(), &sink, |_| ()).await;
    let row = forwarding::measure(peer.name(), program.address, program.path, logins, &sink).await;
    let before = sink.received(0).await.messages;
    let numbers = row.sent..row.sent + SINGLE;
    let single = logins.send_slowly(program.address, program.path, numbers, PAUSE).await;
    assert!(single.iter().all(|one| one.accepted), "a single login is accepted");
    sink.receives(0, before + SINGLE).await;
    let times = forwarding::times_to_arrival(&single, &sink).await;
    let round = Round {
        row,
        single_median: times[times.len() / 2],
        single_p99: times[times.len() * 99 / 100],
        memory: program.peak_memory(),
    };
    println!(
        "{}, one by one: median {:.2} ms, p99 {:.2} ms to the receiver; {:.1} MiB",
        peer.name(),
        round.single_median,
        round.single_p99,
        round.memory
    );
    round
}

/// Kills the program under load at random moments, and starts it again.
async fn kill(peer: Peer, logins: &Arc<Logins>) -> Loss {
    let sink = Sink::start().await;
    let (mut data, mut sent) = (adapters::folder(), Vec::new());
    for _ in 0..KILLS {
        let program = peer.start(data, &sink, |_| ()).await;
        let moment = Duration::from_millis(500 + u64::from(since_epoch().subsec_micros()) % 1_500);
        let load = load(&program, logins, sent.len(), moment + Duration::from_millis(50));
        tokio::time::sleep(moment).await;
        data = program.kill().await;
        sent.extend(load.await.unwrap());
    }
    let _program = peer.start(data, &sink, |_| ()).await;
    settle(peer.name(), "SIGKILL", &sink, &sent).await
}

/// Fills the disk of the program under load, frees it, and starts the program again.
async fn fill(peer: Peer, logins: &Arc<Logins>) -> Loss {
    let sink = Sink::start().await;
    let (mut data, mut sent) = (adapters::folder(), Vec::new());
    for _ in 0..FULL_DISKS {
        let faults = Faults::new(data.path());
        let prepare = |command: &mut Command| {
            faults.preload(command);
            // The log has an error for each login that is refused.
            command.stderr(Stdio::null());
        };
        let program = peer.start(data, &sink, prepare).await;
        let load = load(&program, logins, sent.len(), BEFORE + FULL);
        tokio::time::sleep(BEFORE).await;
        faults.disk_is_full();
        sent.extend(load.await.unwrap());
        faults.end();
        data = program.terminate().await;
    }
    let _program = peer.start(data, &sink, |_| ()).await;
    settle(peer.name(), "full disk", &sink, &sent).await
}

/// Starts to send logins from `first` on.
fn load(
    program: &Program,
    logins: &Arc<Logins>,
    first: usize,
    time: Duration,
) -> tokio::task::JoinHandle<Vec<Sent>> {
    let (logins, address, path) = (logins.clone(), program.address, program.path);
    tokio::spawn(async move { logins.send(address, path, first, CONNECTIONS, time).await })
}

/// Waits until all accepted logins have arrived and none is repeated any more, or until none arrives any more.
async fn settle(name: &str, fault: &str, sink: &Sink, sent: &[Sent]) -> Loss {
    let accepted = sent.iter().filter(|one| one.accepted).count();
    let (mut posts, mut since) = (0, since_epoch());
    let gone = loop {
        let arrivals = sink.arrivals().await;
        let arrived = |number: usize| arrivals.get(number).is_some_and(|at| !at.is_zero());
        let gone = sent.iter().filter(|one| one.accepted && !arrived(one.number)).count();
        let now = sink.received(0).await.posts;
        if now > posts {
            (posts, since) = (now, since_epoch());
        }
        if since_epoch() - since > if gone == 0 { LAST_REPEAT } else { QUIET } {
            break gone;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let repeated = sink.received(0).await.repeats;
    println!("{name}, {fault}: {gone} of {accepted} are gone, {repeated} arrived again");
    Loss { accepted, not_accepted: sent.len() - accepted, gone, repeated }
}
