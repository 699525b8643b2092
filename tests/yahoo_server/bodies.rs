//! Bodies that do not come as they should.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream::{self, StreamExt};

use super::door::{Hands, Peer};
use super::message::{Reply, packed};
use super::rules::Action;

/// The answer as the first of the actions that touch the body has it; `None` where none does.
pub(super) fn spoilt(
    mut reply: Reply,
    actions: &[Action],
    hands: &Hands,
    peer: Peer,
) -> Result<Response, Reply> {
    let body = std::mem::take(&mut reply.body);
    for action in actions {
        match action {
            Action::Short { bytes } => {
                hands.let_go(peer);
                return Ok(reply.header("content-length", &body.len().to_string()).with(cut(&body, *bytes)));
            }
            Action::CutOff { bytes } => {
                hands.let_go(peer);
                return Ok(reply.with(cut(&body, *bytes)));
            }
            Action::CutGzip { bytes } => {
                let mut packed = packed(&body);
                packed.truncate(*bytes);
                return Ok(reply.header("content-encoding", "gzip").with(packed.into()));
            }
            Action::Endless {} => {
                let spaces = Bytes::from(vec![b' '; 64 << 10]);
                let stream = stream::repeat_with(move || Ok::<_, Infallible>(spaces.clone()));
                return Ok(reply.with(Body::from_stream(stream)));
            }
            Action::Drip { milliseconds } => {
                let pause = Duration::from_millis(*milliseconds);
                let stream = stream::iter(body).then(move |byte| async move {
                    tokio::time::sleep(pause).await;
                    Ok::<_, Infallible>(Bytes::from(vec![byte]))
                });
                return Ok(reply.with(Body::from_stream(stream)));
            }
            Action::Bomb { mebibytes } => {
                let packed = packed(&vec![b' '; mebibytes << 20]);
                return Ok(reply.header("content-encoding", "gzip").with(packed.into()));
            }
            Action::Reset { bytes } => {
                hands.reset_when_closed(peer);
                return Ok(reply.with(cut(&body, *bytes)));
            }
            Action::HangUp {} => {
                hands.hang_up(peer);
                return Ok(reply.with(Body::empty()));
            }
            _ => {}
        }
    }
    reply.body = body;
    Err(reply)
}

/// The first bytes of a body, and then the connection breaks.
fn cut(body: &[u8], bytes: usize) -> Body {
    let first = Bytes::copy_from_slice(&body[..bytes.min(body.len())]);
    let broken = Err(io::Error::other("cut off by a rule"));
    // Apart, so that the first part is on its way when the connection breaks.
    let parts = stream::iter([Ok(first), broken]).then(|part| async {
        tokio::task::yield_now().await;
        part
    });
    Body::from_stream(parts)
}
