//! `segue track-event`: runs the track-event function once.

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use clap::Args;
use platform::{clock::SystemClock, write_keys::NamedWriteKey};
use track_event::{Handler, Invocation, TrackError};

use crate::{
    console::{input::Input, output},
    error::CommandError,
    options::{segment::SegmentOptions, server::reachable},
    stand_in,
};

/// How long the command retries.
const TIME: Duration = Duration::from_secs(30);

/// Options of `segue track-event`.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    segment: SegmentOptions,
    /// The address of a running segue serve. Without an endpoint, its stand-in gets the event
    #[arg(long, env = "SEGUE_LISTEN", default_value = "127.0.0.1:3000", value_name = "ADDRESS")]
    listen: SocketAddr,
}

/// Sends the event and prints the answer.
pub async fn run(options: Options) -> Result<(), CommandError> {
    let clock = SystemClock::shared();
    let bytes = options.input.read()?;
    let server = reachable(options.listen);
    let to_stand_in = options.segment.use_stand_in();
    options.segment.unsent_warning().iter().for_each(output::note);
    let connection = options.segment.connect(&stand_in::url(server), &clock)?;
    let credentials =
        NamedWriteKey { keys: connection.write_keys, name: settings::DEFAULT_WRITE_KEY.to_owned() };
    let invocation = Invocation::once(clock.now().checked_add(TIME)?);
    let handler = Handler::new(connection.client, credentials, clock);
    let answer = tokio::select! {
        // First, so that an invalid event is reported before a missing server.
        biased;
        answer = handler.handle(&bytes, &invocation) => {
            answer.map_err(|error| format!("{}: {error}{}", error.kind(), advice(&error)))?
        }
        () = nobody_listens(server), if to_stand_in => {
            return Err(format!(
                "no server listens at {server}: start segue serve in another terminal, pass its address with --listen, \
                 or set SEGMENT_ENDPOINT and SEGMENT_WRITE_KEY"
            )
            .into());
        }
    };
    output::print_json(segment::json::encode(&answer))
}

/// Returns advice that the error lacks, because the function on AWS has the same error.
fn advice(error: &TrackError) -> &'static str {
    match error {
        TrackError::SegmentUnavailable { .. } | TrackError::InvalidWriteKey(_) => {
            "; run segue doctor to find the cause"
        }
        _ => "",
    }
}

/// Returns when the connection is refused. Retrying for [`TIME`] would not help then.
async fn nobody_listens(server: SocketAddr) {
    match tokio::net::TcpStream::connect(server).await {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
        _ => std::future::pending().await,
    }
}
