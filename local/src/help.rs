//! What `--help` ends with: examples that work as they stand, and what a command's exit codes mean.

use std::fmt::Write;

use anstyle::Style;

/// As clap writes its own headings.
const HEADING: Style = Style::new().bold().underline();

/// The code of a command line that is wrong, for every command.
const USAGE: (u8, &str) = (2, "the command line is wrong");

/// The shell's code for the signal.
const INTERRUPTED: (u8, &str) = (130, "interrupted by Ctrl-C");

/// `segue serve`.
pub fn serve() -> String {
    let examples = [
        ("with a stand-in for Segment", "segue serve"),
        (
            "to Segment in Europe",
            "SEGMENT_WRITE_KEY=… segue serve --segment-endpoint https://events.eu1.segmentapis.com",
        ),
        (
            "to a webhook on this machine too",
            "segue serve --webhook http://127.0.0.1:4000/hook --shared-secret s3cret --allow-private-webhooks",
        ),
    ];
    let codes = [
        (0, "stopped by Ctrl-C or SIGTERM; what is not delivered yet is after the next start"),
        (1, "it could not start, or not go on"),
        (74, "the disk failed in the middle of a write; start it again, and it goes on with what is stored"),
    ];
    with(&examples, &codes)
}

/// `segue track-event`.
pub fn track_event() -> String {
    let examples = [
        (
            "a file, to the stand-in of a running segue serve",
            "segue track-event events/track-event/order-completed.json",
        ),
        ("standard input", r#"echo '{"user_id":"u1","event":"Signed Up"}' | segue track-event"#),
    ];
    let codes = [(0, "Segment took the event"), (1, "it did not"), INTERRUPTED];
    with(&examples, &codes)
}

/// `segue tail`.
pub fn tail() -> String {
    let examples = [
        ("the server on this machine", "segue tail"),
        ("FusionAuth's events, as JSON", "segue tail --source fusionauth --json"),
    ];
    let codes = [
        (0, "whoever read the output, as head does, reads no more"),
        (1, "nothing answers, or the server stopped"),
        INTERRUPTED,
    ];
    with(&examples, &codes)
}

/// `segue backfill`.
pub fn backfill() -> String {
    let examples = [
        (
            "what would be sent of an export of Auth0",
            "segue backfill auth0 events/backfill/auth0.users.json --dry-run --limit 10",
        ),
        (
            "all of it, to the stand-in of a running segue serve",
            "segue backfill auth0 events/backfill/auth0.users.csv",
        ),
    ];
    with(&examples, &BACKFILL)
}

/// `segue backfill fusionauth`.
pub fn backfill_fusionauth() -> String {
    let examples = [
        (
            "what would be sent of the users",
            "FUSIONAUTH_API_KEY=… segue backfill fusionauth --url https://auth.example.com --dry-run --limit 10",
        ),
        (
            "what the webhooks of a stack on AWS failed to deliver",
            "FUSIONAUTH_API_KEY=… segue backfill fusionauth --url https://auth.example.com --event-log --deployment arn:…",
        ),
    ];
    with(&examples, &BACKFILL)
}

/// `segue backfill auth0`.
pub fn backfill_auth0() -> String {
    let examples = [
        ("who has changed since a time", "segue backfill auth0 users.csv.gz --since 2026-11-21T04:00:00Z"),
        (
            "an export that Auth0 makes for it",
            "AUTH0_MANAGEMENT_TOKEN=… segue backfill auth0 --domain tenant.eu.auth0.com",
        ),
    ];
    with(&examples, &BACKFILL)
}

const BACKFILL: [(u8, &str); 4] = [
    (0, "all is sent, or as many as --limit says"),
    (1, "it failed; the same command goes on from there"),
    (3, "as 0, but some cannot be sent; a file says which and why"),
    (130, "interrupted by Ctrl-C or SIGTERM; the same command goes on from there"),
];

/// `segue redrive`.
pub fn redrive() -> String {
    let examples = [
        ("what there is, and why", "segue redrive --dry-run"),
        (
            "one webhook's since a time",
            "segue redrive --webhook https://example.com/hook --since 2026-11-21T04:00:00Z",
        ),
    ];
    let codes = [
        (0, "what was chosen is put back, or there was nothing"),
        (1, "it failed; standard error says why and what to do"),
        INTERRUPTED,
    ];
    with(&examples, &codes)
}

/// `segue rejected`.
pub fn rejected() -> String {
    let examples = [
        ("each with its field and reason", "segue rejected"),
        (
            "only the reasons, counted",
            r#"segue rejected | jq -r '.messages[] | .field + " " + .problem' | sort | uniq -c"#,
        ),
        ("remove them for good", "segue rejected --purge"),
    ];
    let codes = [
        (0, "they are shown or removed, or there are none"),
        (1, "it failed; standard error says why and what to do"),
        INTERRUPTED,
    ];
    with(&examples, &codes)
}

/// `segue map`.
pub fn map() -> String {
    let examples = [
        (
            "a body in a file",
            "segue map fusionauth events/identity-webhook/bodies/fusionauth.user.login.success.json",
        ),
        (
            "only the messages",
            "segue map fusionauth < events/identity-webhook/bodies/fusionauth.user.login.success.json 2> /dev/null",
        ),
    ];
    let codes = [
        (0, "there are messages"),
        (1, "there are none, or it failed; standard error says which"),
        INTERRUPTED,
    ];
    with(&examples, &codes)
}

/// `segue mappings`.
pub fn mappings() -> String {
    let examples = [("to read and search", "segue mappings > built-in.toml")];
    with(&examples, &[(0, "printed"), (1, "it could not be written")])
}

/// `segue secret`.
pub fn secret() -> String {
    let examples =
        [("a new token for Auth0, in a file", "segue secret add auth0 secret.json --generate --write")];
    with(&examples, &SECRET)
}

/// `segue secret add`.
pub fn secret_add() -> String {
    let examples = [
        ("a signing key that you type, in a file", "segue secret add fusionauth secret.json --write"),
        ("a new token beside it", "segue secret add auth0 secret.json --generate --write"),
        (
            "in AWS Secrets Manager",
            "aws secretsmanager get-secret-value --secret-id … --query SecretString --output text |\n    segue secret add auth0 --generate |\n    aws secretsmanager put-secret-value --secret-id … --secret-string file:///dev/stdin",
        ),
    ];
    with(&examples, &SECRET)
}

const SECRET: [(u8, &str); 3] =
    [(0, "the secret is printed, or written"), (1, "it is not; standard error says why"), INTERRUPTED];

/// `segue doctor`.
pub fn doctor() -> String {
    let examples = [
        ("the settings in the environment", "segue doctor"),
        ("those of a command line", "segue doctor --listen 127.0.0.1:3001 --data-dir other"),
        ("a stack on AWS", "segue doctor --stack segue"),
        ("what is wrong, for a program", r#"segue doctor --format json | grep '"problem"' || echo none"#),
    ];
    let codes = [(0, "there is no problem; there may be warnings"), (1, "there is a problem"), INTERRUPTED];
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
