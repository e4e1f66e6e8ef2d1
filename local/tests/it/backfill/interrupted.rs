//! Runs that are killed or interrupted, and the runs that continue them.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use testkit::{Answer, for_each_seed};

use super::{
    Ended, command,
    event_log::undelivered,
    fusionauth::users,
    fusionauth_api::{FusionAuth, Held, KEY, id},
    ndjson, run,
    sink::{Sink, kill},
};

const USERS: usize = 3_700;

/// Runs it again and again until a run finishes. Each run is killed at one of these countdowns. Returns the
/// number of kills.
async fn kill_until_finished(
    seed: u64,
    data: &Path,
    arguments: &[&str],
    countdowns: &[(Arc<AtomicU32>, Arc<AtomicU32>)],
) -> usize {
    let mut random = fastrand::Rng::with_seed(seed);
    for killed in 0.. {
        assert!(killed < 50, "it makes no progress");
        let mut child = command(data, arguments).spawn().unwrap();
        let pid = child.id();
        for (victim, _) in countdowns {
            victim.store(pid, Ordering::SeqCst);
        }
        let (_, kill_in) = &countdowns[random.usize(0..countdowns.len())];
        kill_in.store(random.u32(1..8), Ordering::SeqCst);
        if random.bool() {
            // Between requests, while a checkpoint is written.
            let wait = std::time::Duration::from_micros(random.u64(0..400_000));
            tokio::time::sleep(wait).await;
            kill(pid, "-KILL");
        }
        let output = tokio::task::spawn_blocking(move || {
            let status = child.wait().unwrap();
            (status, child)
        })
        .await
        .unwrap();
        for (_, kill_in) in countdowns {
            kill_in.store(u32::MAX, Ordering::SeqCst);
        }
        if output.0.code().is_some() {
            assert_eq!(output.0.code(), Some(0), "seed {seed}");
            return killed;
        }
    }
    0
}

#[test]
fn a_backfill_that_is_killed_anywhere_repeats_nobody_and_misses_nobody() {
    for_each_seed(5, async |seed| {
        let folder = tempfile::tempdir().unwrap();
        let (data, sink) = (folder.path().join("data"), Sink::failing(seed, 12).await);
        let options = sink.options();
        let to_segment = (sink.victim.clone(), sink.kill_in.clone());
        let killed = if seed % 4 == 3 {
            let (log, entries) = (undelivered(1_300), 1_300);
            let fusionauth = FusionAuth::start(seed, Held { log, one_in: 100, ..Held::default() }).await;
            let url = fusionauth.server.url();
            let mut arguments = vec!["fusionauth", "--event-log", "--url", &url, "--api-key", KEY];
            arguments.extend(["--deployment", "d"].into_iter().chain(options.iter().map(String::as_str)));
            let from_fusionauth = (fusionauth.victim.clone(), fusionauth.kill_in.clone());
            let killed = kill_until_finished(seed, &data, &arguments, &[to_segment, from_fusionauth]).await;
            sink.assert_each_once((0..entries).map(id));
            killed
        } else if seed % 4 == 0 {
            let file = folder.path().join("users.json.gz");
            fs::write(
                &file,
                if seed % 8 == 0 { testkit::gzip(ndjson(USERS)) } else { ndjson(USERS).into_bytes() },
            )
            .unwrap();
            let mut arguments = vec!["auth0", file.to_str().unwrap()];
            arguments.extend(options.iter().map(String::as_str));
            let killed = kill_until_finished(seed, &data, &arguments, &[to_segment]).await;
            sink.assert_each_once((0..USERS).map(|number| format!("auth0|{number:07}")));
            killed
        } else {
            let elastic = seed % 4 == 1;
            let held = Held { users: users(USERS), elastic, one_in: 12, expires: 7, ..Held::default() };
            let fusionauth = FusionAuth::start(seed, held).await;
            let url = fusionauth.server.url();
            let mut arguments = vec!["fusionauth", "--url", &url, "--api-key", KEY];
            arguments.extend(options.iter().map(String::as_str));
            let from_fusionauth = (fusionauth.victim.clone(), fusionauth.kill_in.clone());
            let killed = kill_until_finished(seed, &data, &arguments, &[to_segment, from_fusionauth]).await;
            sink.assert_each_once((0..USERS).map(id));
            killed
        };
        // Each kill may have cost the checkpoint of one batch, and no more.
        let failures = sink.server.requests().iter().filter(|request| request.taken).count();
        assert!(sink.server.taken().len() <= USERS + 500 * (killed + failures), "seed {seed}");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_a_run_and_the_next_run_continues() {
    let folder = tempfile::tempdir().unwrap();
    let (file, data) = (folder.path().join("users.json"), folder.path().join("data"));
    fs::write(&file, ndjson(300)).unwrap();
    for signal in ["-INT", "-TERM"] {
        let _ = fs::remove_dir_all(&data);
        let sink = Sink::healthy().await;
        let url = sink.server.url();
        let (pid, mut requests) = (Arc::new(AtomicU32::new(0)), 0);
        let victim = pid.clone();
        sink.server.set(move |_| {
            requests += 1;
            if requests == 2 {
                kill(victim.load(Ordering::SeqCst), signal);
            }
            Answer::ok()
        });
        let arguments = [
            "auth0",
            file.to_str().unwrap(),
            "--segment-endpoint",
            &url,
            "--write-key",
            "k",
            "--rate",
            "100",
        ];
        let child = command(&data, &arguments).spawn().unwrap();
        pid.store(child.id(), Ordering::SeqCst);
        let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
        let ended = Ended::from(&output);
        assert_eq!(ended.code, Some(130), "{ended:?}");
        assert!(ended.stderr.contains("Interrupted. Run the same command again to continue."), "{ended:?}");
        // The batch in progress was finished, and counted.
        assert_eq!((&ended.summary()["sent"], sink.users().len()), (&100.into(), 100));
        sink.server.set(|_| Answer::ok());
        let mut arguments = arguments;
        arguments[7] = "1000";
        let ended = run(&data, &arguments).await;
        assert!(ended.code == Some(0) && ended.stderr.contains("Continuing after 100 "), "{ended:?}");
        sink.assert_each_once((0..300).map(|number| format!("auth0|{number:07}")));
        assert_eq!(sink.server.taken().len(), 300, "nobody was sent twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_backfill_twice_at_once_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (file, data) = (folder.path().join("users.json"), folder.path().join("data"));
    fs::write(&file, ndjson(50)).unwrap();
    let sink = Sink::healthy().await;
    let url = sink.server.url();
    let arguments =
        ["auth0", file.to_str().unwrap(), "--segment-endpoint", &url, "--write-key", "k", "--rate", "10"];
    let mut first = command(&data, &arguments).spawn().unwrap();
    while sink.server.requests().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let second = run(&data, &arguments).await;
    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("the same backfill is already running"), "{second:?}");
    // Another --since is another backfill.
    let other = run(&data, &[&arguments[..], &["--since", "2030-01-01"]].concat()).await;
    assert_eq!(other.code, Some(0), "{other:?}");
    first.kill().unwrap();
    first.wait().unwrap();
}
