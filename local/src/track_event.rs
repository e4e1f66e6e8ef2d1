//! `segue track-event`: the run job once.

use std::time::Duration;

use clap::Args;
use platform::{
    clock::SystemClock,
    write_keys::{DEFAULT, NamedWriteKey},
};
use track_event::{Handler, Invocation};

use crate::{CommandError, cli::Input, input, output, segment_options::SegmentOptions, stand_in};

/// How long the command tries.
const TIME: Duration = Duration::from_secs(30);

/// What `segue track-event` takes.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    segment: SegmentOptions,
    /// The address of the running `segue serve` whose stand-in takes the event when there is no endpoint
    #[arg(long, env = "SEGUE_LISTEN", default_value = "127.0.0.1:3000", value_name = "ADDRESS")]
    listen: String,
}

/// Sends the event and prints the answer.
pub async fn run(options: Options) -> Result<(), CommandError> {
    let clock = SystemClock::shared();
    let bytes = input::read(&options.input)?;
    let stand_in = format!("http://{}{}", options.listen, stand_in::PATH);
    let connection = options.segment.connect(&stand_in, &clock)?;
    let credentials = NamedWriteKey { keys: connection.write_keys, name: DEFAULT.to_owned() };
    let invocation = Invocation::once(clock.now().checked_add(TIME)?);
    let handler = Handler::new(connection.client, credentials, clock);
    let answer =
        handler.handle(&bytes, &invocation).await.map_err(|error| format!("{}: {error}", error.kind()))?;
    output::print(segment::json::encode(&answer))
}
