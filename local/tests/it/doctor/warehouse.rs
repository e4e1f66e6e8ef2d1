//! The warehouse.

use testkit::postgres::PostgresServer;

use super::expect;

#[tokio::test(flavor = "multi_thread")]
async fn the_database_is_examined_and_nothing_is_written() {
    let server = PostgresServer::start().await;
    server.run("CREATE ROLE writer LOGIN").await;
    let check = |url: String, status: &'static str, found: &'static str, fix: &'static str| {
        tokio::task::block_in_place(|| expect(&["--warehouse", &url], "warehouse", status, found, fix));
    };
    let (owner, writer) = (server.url("postgres"), server.url_of("writer", "postgres"));
    check(owner.clone(), "ok", "PostgreSQL ", "");
    let grant = "GRANT CREATE ON DATABASE \"postgres\" TO \"writer\"";
    check(writer.clone(), "problem", "Segue may not create the schema segue", grant);
    server.run("CREATE SCHEMA segue; CREATE TABLE segue.tracks (id text, uuid_ts timestamptz)").await;
    let grant = "GRANT USAGE, CREATE ON SCHEMA \"segue\" TO \"writer\"";
    check(writer.clone(), "problem", "Segue may not create tables in the schema segue", grant);
    server.run(grant).await;
    let grant = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA \"segue\" TO \"writer\"";
    check(writer.clone(), "problem", "Segue may not write to all tables of the schema segue", grant);
    server.run(grant).await;
    let alter = "ALTER TABLE \"segue\".\"tracks\" OWNER TO \"writer\"";
    check(writer.clone(), "problem", "Segue may not add columns to segue.tracks", alter);
    server.run(alter).await;
    check(writer.clone(), "ok", "PostgreSQL ", "");
    server
        .run(
            "CREATE TABLE segue.segue_discards (id text, uuid_ts timestamptz, table_name text, column_name text, reason text); \
             INSERT INTO segue.segue_discards SELECT n, now(), 'orders', 'price', 'why' FROM generate_series(1, 7) n",
        )
        .await;
    check(owner.clone(), "warning", "orders.price of segue: 7 values were discarded: why", "segue_discards");
    assert_eq!(server.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'segue'").await, "2");
    server.stop();
    check(owner, "problem", "no connection to PostgreSQL at /", "SEGUE_WAREHOUSE");
    check(
        "postgres://u:hunter2@db.example.com/d?sslmode=disable".to_owned(),
        "problem",
        "plain text",
        "SEGUE_WAREHOUSE",
    );
}
