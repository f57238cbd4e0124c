//! Messages between pipes and the service, in the order of their arrival.
//!
//! ```text
//! stdin ─ thread ─ frames, JSON ──┐                           ┌── bytes ─ thread ─ stdout
//!                                 ├─ one task: service.call ──┤
//! timers, answers of the client ──┘                           └── requests of ours to the client
//! ```
//!
//! The loop of `tower_lsp_server::Server` is not used. It ends at the first body that is not JSON (`FramedRead` gives
//! `None` behind an error), at most so many handlers run as it has slots, and while they wait no edit is read. Here every
//! future is polled once when its message arrives, so whatever a handler does before its first `.await` happens in
//! the order of arrival; then it may wait for as long as it likes. Nothing that a client does can block the task:
//! reading and writing have threads of their own.
//!
//! INVARIANT: a message is handed to the service after all handlers of earlier ones have begun.

use std::future::Future;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::panic::AssertUnwindSafe;
use std::sync::mpsc as blocking;
use std::task::{Context, Poll, Waker};
use std::thread;

use futures::{FutureExt, SinkExt, StreamExt};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::sync::mpsc;
use tower::Service;
use tower_lsp_server::jsonrpc::{Error, Id, Request, Response};
use tower_lsp_server::{ClientSocket, ExitedError, LanguageServer, LspService};

/// A body may have so many bytes; a longer one is read past and refused.
const MAX_BODY: usize = 512 << 20;

/// How the conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// `exit` after `shutdown`.
    Orderly,
    /// `exit` without `shutdown`, or the pipe closed.
    Abrupt,
}

enum Incoming {
    Request(Request),
    Response(Response),
    Bad(Error),
}

/// Serves until the client says `exit` or its pipe closes.
pub async fn serve<S: LanguageServer>(
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
    mut service: LspService<S>,
    socket: ClientSocket,
) -> Ending {
    let (to_task, mut incoming) = mpsc::unbounded_channel();
    let (outgoing, to_write) = blocking::channel::<Vec<u8>>();
    thread::spawn(move || read(BufReader::with_capacity(1 << 16, input), &to_task));
    let writer = thread::spawn(move || write(output, &to_write));
    let (mut requests, mut responses) = socket.split();
    let ours = outgoing.clone();
    let asking = tokio::task::spawn_local(async move {
        while let Some(request) = requests.next().await {
            send(&ours, &request);
        }
    });
    let mut shut_down = false;
    let mut ending = Ending::Abrupt;
    while let Some(message) = incoming.recv().await {
        match message {
            Incoming::Request(request) => {
                let id = request.id().cloned();
                let (first, last) = (request.method() == "initialize", request.method() == "exit");
                shut_down |= request.method() == "shutdown" && id.is_some();
                let answer = answer(id, service.call(request));
                if last {
                    ending = if shut_down { Ending::Orderly } else { Ending::Abrupt };
                    break;
                }
                let mut answer = Box::pin(answer);
                if first {
                    if let Some(response) = answer.await {
                        send(&outgoing, &response);
                    }
                } else {
                    match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                        Poll::Ready(Some(response)) => send(&outgoing, &response),
                        Poll::Ready(None) => {}
                        Poll::Pending => {
                            let outgoing = outgoing.clone();
                            tokio::task::spawn_local(async move {
                                if let Some(response) = answer.await {
                                    send(&outgoing, &response);
                                }
                            });
                        }
                    }
                }
            }
            // Fails only after `exit`, when nobody waits for it.
            Incoming::Response(response) => drop(responses.send(response).await),
            Incoming::Bad(error) => send(&outgoing, &Response::from_error(Id::Null, error)),
        }
    }
    asking.abort();
    drop(outgoing);
    if ending == Ending::Orderly {
        // What was answered shall arrive, but a client that reads no more must not keep us.
        for _ in 0..200 {
            if writer.is_finished() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
    ending
}

/// The answer of a handler; if it panics, that there was an internal error.
async fn answer(
    id: Option<Id>,
    handler: impl Future<Output = Result<Option<Response>, ExitedError>>,
) -> Option<Response> {
    match AssertUnwindSafe(handler).catch_unwind().await {
        Ok(answered) => answered.ok().flatten(),
        Err(_) => id.map(|id| Response::from_error(id, Error::internal_error())),
    }
}

fn send(outgoing: &blocking::Sender<Vec<u8>>, message: &impl serde::Serialize) {
    // What cannot be written as JSON does not exist among our answers, and where the pipe is gone, nobody listens.
    if let Ok(body) = serde_json::to_vec(message) {
        let _ = outgoing.send(body);
    }
}

fn write(mut output: impl Write, bodies: &blocking::Receiver<Vec<u8>>) {
    while let Ok(body) = bodies.recv() {
        let mut frame = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
        frame.extend_from_slice(&body);
        if output.write_all(&frame).and_then(|()| output.flush()).is_err() {
            return;
        }
    }
}

fn read(mut input: impl BufRead, incoming: &mpsc::UnboundedSender<Incoming>) {
    while let Ok(Some(body)) = frame(&mut input) {
        let message = match body {
            Body::Json(bytes) => message(&bytes),
            Body::TooLong => Incoming::Bad(Error::invalid_request()),
        };
        if incoming.send(message).is_err() {
            return;
        }
    }
}

enum Body {
    Json(Vec<u8>),
    TooLong,
}

/// The next body. Lines that are no header are passed over until there is a length; `None` at the end.
fn frame(input: &mut impl BufRead) -> io::Result<Option<Body>> {
    let mut length = None;
    loop {
        let mut line = Vec::new();
        // A line of garbage may be long; a header is not.
        if input.by_ref().take(1 << 16).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_ascii();
        match (line.is_empty(), length) {
            (true, Some(length)) => return body(input, length),
            (true, None) => {}
            (false, _) => length = content_length(line).or(length),
        }
    }
}

fn content_length(line: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    // Behind half a message the next header begins within a line.
    let at = line.windows(NAME.len()).rposition(|part| part.eq_ignore_ascii_case(NAME))?;
    std::str::from_utf8(&line[at + NAME.len()..]).ok()?.trim().parse().ok()
}

fn body(input: &mut impl BufRead, length: usize) -> io::Result<Option<Body>> {
    if length > MAX_BODY {
        io::copy(&mut input.take(length as u64), &mut io::sink())?;
        return Ok(Some(Body::TooLong));
    }
    let mut bytes = Vec::new();
    // Grows with what comes, not with what is promised.
    let read = input.take(length as u64).read_to_end(&mut bytes)?;
    Ok((read == length).then_some(Body::Json(bytes)))
}

fn message(bytes: &[u8]) -> Incoming {
    #[derive(Deserialize)]
    struct Kind {
        method: Option<IgnoredAny>,
    }
    let Ok(kind) = serde_json::from_slice::<Kind>(bytes) else {
        let json = serde_json::from_slice::<IgnoredAny>(bytes).is_ok();
        return Incoming::Bad(if json { Error::invalid_request() } else { Error::parse_error() });
    };
    let read = match kind.method {
        Some(_) => serde_json::from_slice(bytes).map(Incoming::Request),
        None => serde_json::from_slice(bytes).map(Incoming::Response),
    };
    read.unwrap_or_else(|_| Incoming::Bad(Error::invalid_request()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::*;

    fn frames(mut input: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        while let Ok(Some(body)) = frame(&mut input) {
            match body {
                Body::Json(bytes) => found.push(String::from_utf8(bytes).unwrap()),
                Body::TooLong => found.push("too long".to_owned()),
            }
        }
        found
    }

    #[test]
    fn finds_the_next_message_behind_garbage() {
        assert_eq!(frames(b"Content-Length: 2\r\n\r\n{}content-length:2\r\nX: y\r\n\r\n[]"), ["{}", "[]"]);
        assert_eq!(frames(b"nonsense\r\n\r\nContent-Length: 2\r\n\r\n{}"), ["{}"]);
        assert_eq!(frames(b"Content-Length: 2\n\n{}"), ["{}"]);
        assert_eq!(frames(b"Content-Length: many\r\n\r\nContent-Length: 2\r\n\r\n{}"), ["{}"]);
        // A message of which half is missing eats what follows, as its length says; then we are back.
        assert_eq!(
            frames(b"Content-Length: 26\r\n\r\n{\"aContent-Length: 2\r\n\r\n{}Content-Length: 2\r\n\r\n{}")[1],
            "{}"
        );
        assert!(frames(b"Content-Length: 9\r\n\r\n{}").is_empty());
        assert!(frames(b"").is_empty());
    }

    #[test]
    fn tells_requests_from_answers_and_nonsense() {
        let kind = |text: &str| match message(text.as_bytes()) {
            Incoming::Request(_) => "request".to_owned(),
            Incoming::Response(_) => "response".to_owned(),
            Incoming::Bad(error) => error.code.code().to_string(),
        };
        assert_eq!(kind(r#"{"jsonrpc":"2.0","id":1,"method":"x"}"#), "request");
        assert_eq!(kind(r#"{"jsonrpc":"2.0","id":1,"result":null}"#), "response");
        assert_eq!(kind("{"), "-32700");
        assert_eq!(kind("[1]"), "-32600");
        assert_eq!(kind("3"), "-32600");
    }
}
