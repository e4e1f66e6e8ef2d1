//! Rows a second into PostgreSQL on one connection, beside the ways in which others write them.
//!
//! Every way writes the same tracks, each as a row of all tracks and a row of its event, in batches of the same size, into
//! tables of its own. Segue also reads the messages from JSON, looks for deleted users and settles its batch. The others
//! get finished rows.

mod visible;

use std::{fmt::Write, sync::Arc, time::Instant};

use delivery::{Engine, Outcome};
use platform::{
    clock::SystemClock,
    queue::{Queue, QueueError, Received, Replacement},
    secrets::{CachedSecret, StaticSecret},
    topic::{MESSAGE_TYPE, WRITE_KEY},
};
use segment::Message;
use tokio_postgres::{Client, types::ToSql};
use warehouse_delivery::{Database, Routed, Schemas, WarehouseDestination};

use testkit::postgres::{Installation, PostgresServer};

use crate::median;

/// How often each way writes, in turns.
const ROUNDS: usize = 7;

/// The tracks of one turn of a way.
const TRACKS: usize = 20_000;

/// The tracks of one turn of the slowest way.
const FEW_TRACKS: usize = 2_000;

/// The columns of the events, beside `id` and the two times. All are texts, so that no way has to convert them.
const COLUMNS: [&str; 14] = [
    "anonymous_id",
    "user_id",
    "event",
    "event_text",
    "context_ip",
    "context_library_name",
    "context_library_version",
    "context_page_url",
    "context_user_agent",
    "plan",
    "color",
    "size",
    "referrer_name",
    "campaign",
];

/// The columns that all tracks have.
const OF_TRACKS: usize = 9;

/// A queue that forgets everything.
struct Nowhere;

impl Queue for Nowhere {
    async fn replace(&self, replacements: Vec<Replacement>) -> Vec<Result<(), QueueError>> {
        replacements.iter().map(|_| Ok(())).collect()
    }
}

/// A row of an event: its `id`, its times, and the values of [`COLUMNS`].
type Row = Vec<String>;

/// Prints the table. With the number of a way, it measures only that one, for a profiler.
pub async fn compare(arguments: &[String]) {
    let only = arguments.first().map(|number| number.parse().unwrap());
    for installation in Installation::all() {
        for batch in [100, 500, 1_000] {
            compare_on(&installation, batch, only).await;
        }
    }
    if only.is_none() {
        visible::measure().await;
    }
}

async fn compare_on(installation: &Installation, batch: usize, only: Option<usize>) {
    let server = PostgresServer::start_with(installation, &["fsync=on", "max_wal_size=4GB"]).await;
    let client = server.client().await;
    let version = server.value("SHOW server_version").await;
    let ways = [
        "row by row, autocommit",
        "multi-row INSERT … ON CONFLICT",
        "temporary table, COPY, DELETE, INSERT",
        "Segue",
        "COPY without deduplication",
        "Segue, a backfill",
        "Segue, a backfill without COPY",
    ];
    for schema in ["single", "multi", "staged", "copied"] {
        create(&client, schema).await;
    }
    let engine = Engine::new(Nowhere, destination(&server), SystemClock::shared());
    let backfills = [destination(&server).with_copy(), destination(&server)];
    let mut rates = vec![Vec::new(); ways.len()];
    let mut next = 0;
    for _ in 0..ROUNDS {
        for (way, rates) in rates.iter_mut().enumerate() {
            if only.is_some_and(|only| only != way) {
                rates.push(f64::NAN);
                continue;
            }
            let tracks = if way == 0 { FEW_TRACKS } else { TRACKS };
            let rows: Vec<Row> = (next..next + tracks).map(row).collect();
            next += tracks;
            let messages: Vec<Received> =
                if way == 3 || way > 4 { rows.iter().map(received).collect() } else { Vec::new() };
            let began = Instant::now();
            match way {
                0 => row_by_row(&client, &rows).await,
                1 => multi_row(&client, &rows, batch).await,
                2 => staged(&client, &rows, batch).await,
                3 => {
                    // As `segue serve` does: one batch is read while the connection writes another.
                    let (one, other) = messages.split_at(messages.len() / 2);
                    tokio::join!(handle(&engine, one, batch), handle(&engine, other, batch));
                }
                4 => copied(&client, &rows, batch).await,
                _ => {
                    let (backfill, write_key) = (&backfills[way - 5], ["copies", "inserts"][way - 5]);
                    for part in messages.chunks(batch) {
                        let read = |one: &Received| {
                            backfill.read(Message::from_stored(&one.body).unwrap(), write_key)
                        };
                        let read: Vec<Routed> = part.iter().map(read).collect();
                        let outcomes = backfill.write_all(&read.iter().collect::<Vec<_>>(), 0).await;
                        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Delivered));
                    }
                }
            }
            rates.push(2.0 * tracks as f64 / began.elapsed().as_secs_f64());
        }
    }
    if only.is_some_and(|only| only != 3) {
        return println!("{batch}: {:.0}", median(rates.swap_remove(only.unwrap_or_default())));
    }
    let written = (ROUNDS * TRACKS).to_string();
    assert_eq!(server.value("SELECT count(*) FROM segue.order_completed").await, written);
    assert_eq!(server.value("SELECT count(*) FROM segue.tracks").await, written);
    let rates: Vec<f64> = rates.into_iter().map(median).collect();
    println!(
        "\nPostgreSQL {version}, batches of {batch} tracks\n\n| way | rows a second | Segue × |\n|---|---|---|"
    );
    for (way, rate) in ways.iter().zip(&rates) {
        println!("| {way} | {rate:.0} | {:.2} |", rates[3] / rate);
    }
}

/// Makes the two tables, as Segue makes them but with only these columns.
async fn create(client: &Client, schema: &str) {
    let columns =
        |count: usize| COLUMNS[..count].iter().map(|name| format!(", {name} text")).collect::<String>();
    let table = |name: &str, count| {
        format!(
            "CREATE TABLE {schema}.{name} (id varchar(1024) PRIMARY KEY, received_at timestamptz, uuid_ts timestamptz{});",
            columns(count)
        )
    };
    let sql = format!(
        "CREATE SCHEMA {schema}; {} {}",
        table("tracks", OF_TRACKS),
        table("order_completed", COLUMNS.len())
    );
    client.batch_execute(&sql).await.unwrap();
}

fn destination(server: &PostgresServer) -> WarehouseDestination {
    let clock = SystemClock::shared();
    let secret = StaticSecret(segment::Secret::new(server.url("postgres")));
    let database = Arc::new(CachedSecret::new(secret, Database::parse, clock.clone()));
    WarehouseDestination::new(database, Schemas::default(), clock)
}

async fn handle(engine: &Engine<Nowhere, WarehouseDestination>, messages: &[Received], batch: usize) {
    for part in messages.chunks(batch) {
        assert!(engine.handle(part.to_vec()).await.is_empty());
    }
}

fn row(number: usize) -> Row {
    let values = [
        format!("bench-{number:012}-5c1d7e90"),
        "2026-11-21T04:00:00.000Z".to_owned(),
        "2026-11-21T04:00:00.500Z".to_owned(),
        format!("anonymous-{number}"),
        format!("user-{}", number % 5_000),
        "order_completed".to_owned(),
        "Order Completed".to_owned(),
        "203.0.113.7".to_owned(),
        "analytics.js".to_owned(),
        "next-1.84.3".to_owned(),
        format!("https://shop.example.com/products/{}", number % 300),
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0 Safari/537.36"
            .to_owned(),
        ["free", "pro", "team"][number % 3].to_owned(),
        ["red", "green", "blue", "black"][number % 4].to_owned(),
        format!("{}", 30 + number % 20),
        "newsletter".to_owned(),
        format!("winter-{}", number % 7),
    ];
    values.to_vec()
}

/// Returns the message that becomes this row.
fn received(row: &Row) -> Received {
    let [
        id,
        at,
        _,
        anonymous,
        user,
        _,
        event,
        ip,
        library,
        version,
        url,
        agent,
        plan,
        color,
        size,
        referrer,
        campaign,
    ] = &row[..]
    else {
        panic!("a row has 17 values")
    };
    let body = format!(
        r#"{{"type":"track","messageId":"{id}","anonymousId":"{anonymous}","userId":"{user}","event":"{event}","timestamp":"{at}","receivedAt":"{at}","context":{{"ip":"{ip}","library":{{"name":"{library}","version":"{version}"}},"page":{{"url":"{url}"}},"userAgent":"{agent}"}},"properties":{{"plan":"{plan}","color":"{color}","size":"{size}","referrerName":"{referrer}","campaign":"{campaign}"}}}}"#
    );
    let attributes = [(MESSAGE_TYPE, "track"), (WRITE_KEY, "default")];
    Received {
        id: id.clone(),
        body,
        attributes: attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        sent_at: "2026-11-21T04:00:00Z".parse().unwrap(),
    }
}

/// The tables of a way, each with the number of its columns.
fn tables(schema: &str) -> [(String, usize); 2] {
    [(format!("{schema}.order_completed"), COLUMNS.len()), (format!("{schema}.tracks"), OF_TRACKS)]
}

fn names(count: usize) -> String {
    format!("id, received_at, uuid_ts, {}", COLUMNS[..count].join(", "))
}

/// Returns a statement that inserts this many rows of texts.
fn insert(table: &str, count: usize, rows: usize) -> String {
    let width = count + 3;
    let row = |row: usize| {
        let values = (0..width).map(|at| {
            let cast = if at == 1 || at == 2 { "::text::timestamptz" } else { "" };
            format!("${}{cast}", row * width + at + 1)
        });
        format!("({})", values.collect::<Vec<_>>().join(","))
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!("INSERT INTO {table} ({}) VALUES {} ON CONFLICT (id) DO NOTHING", names(count), rows.join(","))
}

async fn row_by_row(client: &Client, rows: &[Row]) {
    for (table, count) in tables("single") {
        let statement = client.prepare(&insert(&table, count, 1)).await.unwrap();
        for row in rows {
            let values: Vec<&(dyn ToSql + Sync)> = row[..count + 3].iter().map(|value| value as _).collect();
            client.execute(&statement, &values).await.unwrap();
        }
    }
}

async fn multi_row(client: &Client, rows: &[Row], batch: usize) {
    let mut statements = Vec::new();
    for (table, count) in tables("multi") {
        statements.push((client.prepare(&insert(&table, count, batch)).await.unwrap(), count));
    }
    for part in rows.chunks(batch) {
        client.batch_execute("BEGIN").await.unwrap();
        for (statement, count) in &statements {
            let values: Vec<&(dyn ToSql + Sync)> =
                part.iter().flat_map(|row| row[..count + 3].iter().map(|value| value as _)).collect();
            client.execute(statement, &values).await.unwrap();
        }
        client.batch_execute("COMMIT").await.unwrap();
    }
}

/// As RudderStack writes: a temporary table for each load, COPY into it, then DELETE and INSERT.
async fn staged(client: &Client, rows: &[Row], batch: usize) {
    for part in rows.chunks(batch) {
        client.batch_execute("BEGIN").await.unwrap();
        for (table, count) in tables("staged") {
            let create = format!("CREATE TEMPORARY TABLE stage (LIKE {table}) ON COMMIT PRESERVE ROWS");
            client.batch_execute(&create).await.unwrap();
            copy(client, "stage", count, part).await;
            let merge = format!(
                "DELETE FROM {table} USING stage WHERE stage.id = {table}.id;
                 INSERT INTO {table} ({names}) SELECT {names} FROM (SELECT *, row_number() OVER (PARTITION BY id ORDER BY received_at DESC) AS number FROM stage) s WHERE number = 1;
                 DROP TABLE stage",
                names = names(count),
            );
            client.batch_execute(&merge).await.unwrap();
        }
        client.batch_execute("COMMIT").await.unwrap();
    }
}

async fn copied(client: &Client, rows: &[Row], batch: usize) {
    for part in rows.chunks(batch) {
        client.batch_execute("BEGIN").await.unwrap();
        for (table, count) in tables("copied") {
            copy(client, &table, count, part).await;
        }
        client.batch_execute("COMMIT").await.unwrap();
    }
}

async fn copy(client: &Client, table: &str, count: usize, rows: &[Row]) {
    let mut text = String::new();
    for row in rows {
        let _ = writeln!(text, "{}", row[..count + 3].join("\t"));
    }
    let sink = client.copy_in(&format!("COPY {table} ({}) FROM STDIN", names(count))).await.unwrap();
    let mut sink = std::pin::pin!(sink);
    futures_util::SinkExt::send(&mut sink, bytes::Bytes::from(text)).await.unwrap();
    sink.finish().await.unwrap();
}
