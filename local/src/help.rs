//! The end of each `--help`: examples that can be copied, and the meaning of the exit codes.

use std::fmt::Write;

use anstyle::Style;

/// The style of clap's headings.
const HEADING: Style = Style::new().bold().underline();

/// The code for a wrong command line, for every command.
const USAGE: (u8, &str) = (2, "the command line is wrong");

/// The shell's code for the signal.
const INTERRUPTED: (u8, &str) = (130, "interrupted by Ctrl-C");

/// `segue serve`.
pub fn serve() -> String {
    let examples = [
        ("with the stand-in (a fake Segment built into Segue)", "segue serve"),
        (
            "to Segment, for a workspace in Europe",
            "SEGMENT_WRITE_KEY=… segue serve --segment-endpoint https://events.eu1.segmentapis.com",
        ),
        (
            "and to a webhook on this machine",
            "segue serve --webhook http://127.0.0.1:4000/hook --shared-secret s3cret --allow-private-webhooks",
        ),
    ];
    let codes = [
        (0, "stopped by Ctrl-C or SIGTERM; the next start delivers the messages that remain"),
        (1, "could not start, or had to stop"),
        (
            74,
            "the disk failed during a write, or memory ran out; start it again to continue with the stored messages",
        ),
    ];
    with(&examples, &codes)
}

/// `segue track-event`.
pub fn track_event() -> String {
    let examples = [
        (
            "from a file, to the stand-in (a fake Segment) of a running segue serve",
            "segue track-event events/track-event/order-completed.json",
        ),
        ("from standard input", r#"echo '{"user_id":"u1","event":"Signed Up"}' | segue track-event"#),
    ];
    let codes = [(0, "Segment accepted the event"), (1, "Segment did not accept the event"), INTERRUPTED];
    with(&examples, &codes)
}

/// `segue tail`.
pub fn tail() -> String {
    let examples = [
        ("follow the server on this machine", "segue tail"),
        ("only FusionAuth's events, as JSON", "segue tail --source fusionauth --json"),
    ];
    let codes = [
        (0, "the reader of the output ended, as head does"),
        (1, "no server answers, or the server stopped"),
        INTERRUPTED,
    ];
    with(&examples, &codes)
}

/// `segue backfill`.
pub fn backfill() -> String {
    let examples = [
        (
            "print the messages for an Auth0 export, and send nothing",
            "segue backfill auth0 events/backfill/auth0.users.json --dry-run --limit 10",
        ),
        (
            "send them to the stand-in (a fake Segment) of a running segue serve",
            "segue backfill auth0 events/backfill/auth0.users.csv",
        ),
    ];
    with(&examples, &BACKFILL)
}

/// `segue backfill fusionauth`.
pub fn backfill_fusionauth() -> String {
    let examples = [
        (
            "print the messages for the users, and send nothing",
            "FUSIONAUTH_API_KEY=… segue backfill fusionauth --url https://auth.example.com --dry-run --limit 10",
        ),
        (
            "send the events that the webhooks to a stack on AWS failed to deliver",
            "FUSIONAUTH_API_KEY=… segue backfill fusionauth --url https://auth.example.com --event-log --deployment arn:…",
        ),
    ];
    with(&examples, &BACKFILL)
}

/// `segue backfill auth0`.
pub fn backfill_auth0() -> String {
    let examples = [
        ("only users changed since a time", "segue backfill auth0 users.csv.gz --since 2026-11-21T04:00:00Z"),
        (
            "request an export from Auth0",
            "AUTH0_MANAGEMENT_TOKEN=… segue backfill auth0 --domain tenant.eu.auth0.com",
        ),
    ];
    with(&examples, &BACKFILL)
}

/// `segue backfill messages`.
pub fn backfill_messages() -> String {
    let examples = [(
        "write what Segment's AWS S3 destination kept",
        "segue backfill messages segment-logs.gz --to warehouse --warehouse postgres://…",
    )];
    with(&examples, &BACKFILL)
}

const BACKFILL: [(u8, &str); 4] = [
    (0, "all users are sent, or as many as --limit allows"),
    (1, "failed; run the same command again to continue"),
    (3, "like 0, but some users cannot be sent; a file lists them with the reason"),
    (130, "interrupted by Ctrl-C or SIGTERM; run the same command again to continue"),
];

/// `segue redrive`.
pub fn redrive() -> String {
    let examples = [
        ("list the dead letters with their failures", "segue redrive --dry-run"),
        (
            "only those of one webhook, since a time",
            "segue redrive --webhook https://example.com/hook --since 2026-11-21T04:00:00Z",
        ),
    ];
    let codes = [
        (0, "the selected dead letters will be delivered again, or there are none"),
        (1, "failed; standard error says why and what to do"),
        INTERRUPTED,
    ];
    with(&examples, &codes)
}

/// `segue rejected`.
pub fn rejected() -> String {
    let examples = [
        ("show each message with the field and the reason", "segue rejected"),
        (
            "count the reasons",
            r#"segue rejected | jq -r '.messages[] | .field + " " + .problem' | sort | uniq -c"#,
        ),
        ("delete them permanently", "segue rejected --purge"),
    ];
    let codes = [
        (0, "shown or deleted, or there are none"),
        (1, "failed; standard error says why and what to do"),
        INTERRUPTED,
    ];
    with(&examples, &codes)
}

/// `segue map`.
pub fn map() -> String {
    let examples = [
        (
            "map a body in a file",
            "segue map fusionauth events/identity-webhook/bodies/fusionauth.user.login.success.json",
        ),
        (
            "print only the messages",
            "segue map fusionauth < events/identity-webhook/bodies/fusionauth.user.login.success.json 2> /dev/null",
        ),
        (
            "map a body of a provider of your own",
            "segue map --provider events/provider-files/acme.toml events/provider-files/acme/user.created.json",
        ),
        (
            "compare each NAME.json in a folder with NAME.expected.json, in a check of your own",
            "segue map --provider events/provider-files/acme.toml --expect events/provider-files/acme",
        ),
    ];
    let codes = [
        (0, "the body makes messages, or all bodies make the expected ones"),
        (1, "no message, other messages than expected, or a failure; standard error says why"),
        INTERRUPTED,
    ];
    with(&examples, &codes)
}

/// `segue provider`.
pub fn provider() -> String {
    let examples = [(
        "print a draft from a body that you captured",
        "segue provider new mine events/provider-files/acme/user.created.json --output -",
    )];
    with(&examples, &PROVIDER)
}

/// `segue provider new`.
pub fn provider_new() -> String {
    let examples = [
        (
            "write mine.toml from a body that you captured",
            "segue provider new mine events/provider-files/acme/user.created.json",
        ),
        ("try it", "segue map --provider mine.toml events/provider-files/acme/user.created.json"),
        ("receive its webhooks", "segue serve --provider mine.toml"),
    ];
    with(&examples, &PROVIDER)
}

const PROVIDER: [(u8, &str); 2] = [(0, "written"), (1, "failed; standard error says why and what to do")];

/// `segue mappings`.
pub fn mappings() -> String {
    let examples = [
        ("save it, to read and search", "segue mappings > built-in.toml"),
        ("only the file of one provider", "segue mappings clerk"),
        (
            "a schema with which an editor completes and checks your files",
            "segue mappings --schema > segue.schema.json",
        ),
    ];
    with(&examples, &[(0, "printed"), (1, "it could not be written")])
}

/// `segue secret`.
pub fn secret() -> String {
    let examples =
        [("add a new token for Auth0 to a file", "segue secret add auth0 secret.json --generate --write")];
    with(&examples, &SECRET)
}

/// `segue secret add`.
pub fn secret_add() -> String {
    let examples = [
        ("add a signing key that you type to a file", "segue secret add fusionauth secret.json --write"),
        ("add a new random token to the same file", "segue secret add auth0 secret.json --generate --write"),
        ("start a local server with that file", "IDENTITY_SECRET=\"$(cat secret.json)\" segue serve"),
        (
            "add a new token in AWS Secrets Manager",
            "aws secretsmanager get-secret-value --secret-id … --query SecretString --output text |\n    segue secret add auth0 --generate |\n    aws secretsmanager put-secret-value --secret-id … --secret-string file:///dev/stdin",
        ),
    ];
    with(&examples, &SECRET)
}

const SECRET: [(u8, &str); 3] =
    [(0, "the secret is printed or written"), (1, "failed; standard error says why"), INTERRUPTED];

/// `segue warehouse`.
pub fn warehouse() -> String {
    let examples = [("put discarded values back", "segue warehouse repair --warehouse postgres://…")];
    with(&examples, &REPAIR)
}

/// `segue warehouse repair`.
pub fn warehouse_repair() -> String {
    let examples = [
        (
            "count the values that fit their columns now",
            "segue warehouse repair --warehouse postgres://… --dry-run",
        ),
        ("put them back", "segue warehouse repair --warehouse postgres://…"),
    ];
    with(&examples, &REPAIR)
}

const REPAIR: [(u8, &str); 3] =
    [(0, "the values are put back or counted"), (1, "failed; standard error says why"), INTERRUPTED];

/// `segue doctor`.
pub fn doctor() -> String {
    let examples = [
        ("check the environment variables", "segue doctor"),
        ("check the options of a command line", "segue doctor --listen 127.0.0.1:3001 --data-dir other"),
        ("check a stack on AWS", "segue doctor --stack segue"),
        ("print only the problems, as JSON", r#"segue doctor --format json | grep '"problem"' || echo none"#),
    ];
    let codes = [(0, "no problem; there may be warnings"), (1, "at least one problem"), INTERRUPTED];
    with(&examples, &codes)
}

/// `segue completions`.
pub fn completions() -> String {
    let examples = [
        ("bash, in ~/.bashrc", "source <(segue completions bash)"),
        ("zsh, into a folder of $fpath", "segue completions zsh > _segue"),
        ("fish", "segue completions fish > segue.fish"),
    ];
    with(&examples, &[(0, "printed"), (1, "it could not be written")])
}

fn with(examples: &[(&str, &str)], codes: &[(u8, &str)]) -> String {
    let mut text = format!("{HEADING}Examples:{HEADING:#}");
    // Writing into a string cannot fail.
    for (what, command) in examples {
        let _ = write!(text, "\n  # {what}\n  {command}");
    }
    let _ = write!(text, "\n\n{HEADING}Exit codes:{HEADING:#}");
    let mut codes = [codes, &[USAGE]].concat();
    codes.sort_by_key(|(code, _)| *code);
    for (code, meaning) in codes {
        let _ = write!(text, "\n  {code:<3}  {meaning}");
    }
    text
}
