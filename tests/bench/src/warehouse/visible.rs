//! The time from the answer of `segue serve` to the row that others see.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use testkit::postgres::PostgresServer;

use crate::{adapters, http, http::Answer, logins::Logins, median};

/// The logins before the measurement, which make the tables, and those of the measurement.
const WARM_UP: usize = 20;
const LOGINS: usize = 500;

/// Prints the median and the 99th percentile.
pub async fn measure() {
    let server = PostgresServer::start_with(&super::Installation::all()[0], &["fsync=on"]).await;
    let segment = http::serve(|_| async { Answer::ok("application/json", r#"{"success":true}"#) }).await;
    let url = server.url("postgres");
    let program = adapters::segue(&format!("http://{segment}"), &[], &["--warehouse", &url]).await;
    let client = server.client().await;
    let logins = Logins::sign(WARM_UP + LOGINS);
    let send = |numbers: Range<usize>| {
        logins.send_slowly(program.address, program.path, numbers, Duration::from_micros(1))
    };
    for sent in send(0..WARM_UP).await {
        assert!(sent.accepted);
    }
    let count = |number: usize| {
        let client = &client;
        async move {
            let select = "SELECT count(*) FROM segue.tracks";
            loop {
                let found = client.query_one(select, &[]).await;
                if found.is_ok_and(|row| row.get::<_, i64>(0) > number as i64) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    };
    count(WARM_UP - 1).await;
    let mut times = Vec::new();
    for number in WARM_UP..WARM_UP + LOGINS {
        assert!(send(number..number + 1).await[0].accepted);
        let answered = Instant::now();
        count(number).await;
        times.push(answered.elapsed().as_secs_f64() * 1_000.0);
    }
    times.sort_by(f64::total_cmp);
    let late = times[times.len() * 99 / 100];
    println!(
        "\nfrom the 200 of segue serve to a row that others see, {LOGINS} logins one by one: median {:.1} ms, 99th percentile {late:.1} ms",
        median(times)
    );
}
