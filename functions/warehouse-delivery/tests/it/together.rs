//! Several environments at the same time.

use std::{collections::BTreeSet, sync::Arc};

use testkit::postgres::{Installation, PostgresServer};

use crate::support::{Warehouse, identify, message};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn environments_that_meet_an_empty_database_make_each_table_once() {
    for installation in Installation::all() {
        let server = Arc::new(PostgresServer::start_with(&installation, &[]).await);
        let environments: Vec<Arc<Warehouse>> =
            (0..6).map(|_| Arc::new(Warehouse::on(server.clone()))).collect();
        let mut tasks = Vec::new();
        for (number, environment) in environments.iter().cloned().enumerate() {
            tasks.push(tokio::spawn(async move {
                for round in 0..5 {
                // New events and new columns in each round, most of them the same everywhere. Where both columns are one, so
                    // are the messages.
                    let track = |event: usize, column: usize| {
                        message(
                            &format!("m{number}-{round}-{event}-{column}"),
                            &format!(r#""type":"track","event":"Event {event}","properties":{{"c{column}":{number}}}"#),
                        )
                    };
                    let mut batch: Vec<String> = (0..=round).flat_map(|event| [track(event, round), track(event, number)]).collect();
                    batch.push(identify(&format!("i{number}-{round}"), &format!(r#"{{"t{round}":{number}}}"#)));
                    fastrand::shuffle(&mut batch);
                    environment.write(&batch).await;
                }
                environment.world.drain().await;
                environment.assert_empty().await;
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        let tables = server
            .rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'segue'")
            .await;
        let tables: BTreeSet<String> = tables.into_iter().map(|row| row[0].clone()).collect();
        let expected = [
            "event_0",
            "event_1",
            "event_2",
            "event_3",
            "event_4",
            "identifies",
            "segue_deleted",
            "segue_discards",
            "tracks",
            "users",
        ];
        assert!(tables.iter().eq(expected.iter()), "{tables:?}");
        assert_eq!(server.value("SELECT count(*) FROM segue.tracks").await, "165");
        assert_eq!(server.value("SELECT count(*) FROM segue.identifies").await, "30");
        assert_eq!(server.value("SELECT count(*) FROM segue.segue_discards").await, "0");
        assert!(!server.log().contains("deadlock"), "{}", server.log());
    }
}
