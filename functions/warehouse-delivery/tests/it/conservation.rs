//! The [conservation test](testkit::conserves) against a PostgreSQL whose connections are killed, whose commits fail,
//! whose tables are held, whose disk is full, and that is restarted in the middle of batches.

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock, mpsc},
    thread,
    time::Duration,
};

use fastrand::Rng;
use platform::{clock::HeldClock, secrets::CachedSecret, sqlite::Store, topic::Attributes};
use testkit::{Accepted, FaultSwitch, StoredSecret, Subject, Unit, postgres::PostgresServer};
use tokio::runtime::{Builder, Runtime};
use warehouse_delivery::{Database, WarehouseDestination};

#[test]
fn every_accepted_message_is_in_the_tables_once_or_is_a_dead_letter() {
    testkit::conserves::<Warehouse>(30);
}

/// One server for all seeds. It ends with the process.
static SERVER: OnceLock<PostgresServer> = OnceLock::new();

/// The schemas of one seed.
struct Warehouse {
    schemas: [String; 2],
    /// Ends the faults when it is dropped.
    _faults: mpsc::Sender<()>,
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs `act` outside of the test's own runtime.
fn aside<R: Send>(act: impl AsyncFnOnce(&PostgresServer) -> R + Send) -> R {
    thread::scope(|scope| scope.spawn(|| runtime().block_on(act(SERVER.get().unwrap()))).join().unwrap())
}

impl Subject for Warehouse {
    type Destination = WarehouseDestination;

    async fn start(fault_switch: &FaultSwitch, _: &Arc<HeldClock>, random: &mut Rng) -> Self {
        if SERVER.get().is_none() {
            let _ = SERVER.set(PostgresServer::start().await);
        }
        let server = SERVER.get().unwrap();
        let number = random.u32(..);
        let schemas = ["a", "b"].map(|letter| format!("{letter}{number}"));
        for schema in &schemas {
            server.run(&prepared(schema)).await;
        }
        let (faults, ended) = mpsc::channel();
        let (fault_switch, random, of_faults) = (fault_switch.clone(), random.fork(), schemas.clone());
        thread::spawn(move || runtime().block_on(make_faults(&fault_switch, random, &of_faults, &ended)));
        Self { schemas, _faults: faults }
    }

    fn destination(&self, _: &Store, clock: &Arc<HeldClock>) -> WarehouseDestination {
        let secret = StoredSecret::new(SERVER.get().unwrap().url("postgres"));
        let database = CachedSecret::new(secret, Database::parse, clock.clone());
        let [default, shop] = &self.schemas;
        let schemas = format!("default={default},shop={shop}").parse().unwrap();
        WarehouseDestination::new(Arc::new(database), schemas, clock.clone())
    }

    fn message(&self, id: &str, random: &mut Rng) -> String {
        let event = random.u8(..4);
        let members = testkit::members_to_spoil(random);
        // Half of them are of another type than others of the same column, so they are discarded.
        let mixed = ["1", r#""text""#, "true", "1.5"][random.usize(..4)];
        format!(
            r#"{{"type":"track","event":"e{event}","messageId":"{id}","userId":"u","properties":{{"mixed":{mixed},{members}}}}}"#
        )
    }

    fn arrived(&self, _: &Accepted) -> BTreeSet<Unit> {
        let rows = aside(async |server| {
            let mut rows = Vec::new();
            for schema in &self.schemas {
                rows.extend(server.rows(&accounts(schema)).await);
            }
            rows
        });
        let check = |row: Vec<String>| {
            assert_eq!(
                (&*row[1], &*row[2]),
                ("1", "1"),
                "{}: a row of its event, and its value or its discard",
                row[0]
            );
            (row[0].clone(), 0)
        };
        rows.into_iter().map(check).collect()
    }

    fn dead_letter_place(&self, id: &str, attributes: &Attributes) -> usize {
        match id.starts_with("never") {
            true if attributes["failure"] == "constraint" => assert!(attributes["reason"].contains("P0001")),
            _ => testkit::assert_expired(attributes, Duration::from_hours(13 * 24)),
        }
        0
    }
}

/// Returns the statements for a schema whose tracks refuse some messages, and whose commits can be made to fail.
fn prepared(schema: &str) -> String {
    let events = (0..4)
        .map(|event| format!("CREATE TABLE {schema}.e{event} (id varchar(1024) PRIMARY KEY, mixed bigint);"));
    format!(
        "CREATE SCHEMA {schema}; CREATE TABLE {schema}.tracks (id varchar(1024) PRIMARY KEY); {}
         CREATE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF NEW.id LIKE 'never%' THEN RAISE EXCEPTION 'never'; END IF; RETURN NEW; END $$;
         CREATE TRIGGER refused BEFORE INSERT ON {schema}.tracks FOR EACH ROW EXECUTE FUNCTION {schema}.refuse();
         CREATE TABLE {schema}.failing (state text);
         CREATE FUNCTION {schema}.fail() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE code text; BEGIN
           SELECT state INTO code FROM {schema}.failing;
           IF code IS NOT NULL THEN RAISE EXCEPTION USING ERRCODE = code; END IF; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER failed AFTER INSERT ON {schema}.tracks DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION {schema}.fail();",
        events.collect::<String>()
    )
}

/// Returns a query for each track: how often its event has it, and how often the value that may not fit is there or is
/// discarded.
fn accounts(schema: &str) -> String {
    let events = (0..4).map(|event| format!("SELECT id, mixed FROM {schema}.e{event}"));
    format!(
        "SELECT t.id, (SELECT count(*) FROM events e WHERE e.id = t.id),
           (SELECT count(e.mixed) FROM events e WHERE e.id = t.id)
           + (SELECT count(*) FROM discards d WHERE d.row_id = t.id AND d.property = 'properties.mixed')
         FROM {schema}.tracks t",
    )
    .replace("events e", &format!("({}) e", events.collect::<Vec<_>>().join(" UNION ALL ")))
    .replace("discards d", &format!("{schema}.segue_discards d"))
}

/// Makes faults until they are switched off, or `ended` is closed.
async fn make_faults(
    fault_switch: &FaultSwitch,
    mut random: Rng,
    schemas: &[String; 2],
    ended: &mpsc::Receiver<()>,
) {
    let server = SERVER.get().unwrap();
    let is_over = || !fault_switch.is_on() || ended.try_recv() == Err(mpsc::TryRecvError::Disconnected);
    let mut client = server.client().await;
    while !is_over() {
        tokio::time::sleep(Duration::from_millis(random.u64(..20))).await;
        let schema = random.choice(schemas).unwrap();
        let table = ["tracks", "e0", "e1"][random.usize(..3)];
        let sql = match random.u8(..100) {
            0..30 => {
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'segue'"
                    .to_owned()
            }
            30..50 => "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'segue'"
                .to_owned(),
            50..70 => {
                // A full disk, a transaction that met another one, one that a person ended.
                let code = ["53100", "40001", "57014"][random.usize(..3)];
                format!("DELETE FROM {schema}.failing; INSERT INTO {schema}.failing VALUES ('{code}')")
            }
            70..90 => format!("DELETE FROM {schema}.failing"),
            90..98 => {
                let hold = random.u64(..700);
                format!(
                    "BEGIN; LOCK TABLE {schema}.{table} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep({hold}::float / 1000); COMMIT"
                )
            }
            _ => {
                server.restart().await;
                continue;
            }
        };
        if client.batch_execute(&sql).await.is_err() {
            client = server.client().await;
        }
    }
    let healed = schemas.iter().map(|schema| format!("DELETE FROM {schema}.failing;")).collect::<String>();
    while client.batch_execute(&healed).await.is_err() {
        client = server.client().await;
    }
}
