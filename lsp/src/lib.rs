//! The language server of kpol. It holds no rule of the language: what something means, what is wrong with it and how
//! to mend it comes from `kpol-compiler`, in the words of its command line.
//!
//! ```text
//! client ── transport ── server ── state           who may change what, and in which order
//!                           │
//!                           └── engine ── world     what is known of all files, kept while it holds
//!                                 │
//!                                 └── answer/*       one file a request: plain values over byte offsets
//!                                       └── wire      into the protocol's types
//! ```
//!
//! | | |
//! |---|---|
//! | [`transport`] | pipes to messages, in their order |
//! | [`server`] | one line a request: which answer, how it is worded |
//! | [`state`], [`late`], [`snapshot`] | the one owner of open files; changes in their order; all files at one moment |
//! | [`engine`], [`world`] | the thread that thinks; what it knows |
//! | [`unit`](mod@unit), [`marks`] | one text: its tree, and what has a name in it |
//! | [`answer`] | the answers |
//! | [`wire`], [`facts`] | the protocol's types; what the client can do |
//! | [`pages`] | the library and the codes' pages as files |
//!
//! # Why `tower-lsp-server`
//!
//! `tower-lsp` has had no release since August 2023. Its fork `tower-lsp-server` is kept by a group, follows the protocol's
//! types, and needs no `async_trait`. `async-lsp` handles notifications in order by design, which is right, but rests
//! on `lsp-types`, unmaintained as well, and on a stack of middleware for what is one loop here. `lsp-server` of
//! rust-analyzer is the smallest, without futures; cancelling, the lifecycle and the routing of answers would be ours to
//! write. From the fork we take the router, the lifecycle, cancellation and the client's half; its loop over the pipes
//! is replaced by [`transport`], which says why. Its price: `tokio` and `tower`, of which the smallest features are used.
//!
//! # Order
//!
//! Handlers of the fork run side by side, and an `.await` in one lets the next overtake it. So every handler does what has
//! to happen in order before its first `.await`: an edit changes [`State`](state::State), a request takes a
//! [`Snapshot`](snapshot::Snapshot) of it and hands it to the [`Engine`](engine::Engine) with a question.

pub mod answer;
pub mod engine;
pub mod facts;
pub mod late;
pub mod marks;
pub mod pages;
pub mod server;
pub mod snapshot;
pub mod state;
pub mod transport;
pub mod unit;
pub mod wire;
pub mod world;

use std::process::ExitCode;

// A panic in an answer is caught and told to the client; without unwinding it would be the end of the server.
#[cfg(not(panic = "unwind"))]
compile_error!("kpol-lsp answers a panic with an error: build it with `panic = \"unwind\"`");

/// Serves on standard input and output until the client goes.
pub fn run() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::from(2);
        }
    };
    let tasks = tokio::task::LocalSet::new();
    let ending = tasks.block_on(&runtime, server::serve(std::io::stdin(), std::io::stdout()));
    // The reading thread may wait for a pipe for ever: nobody waits for it.
    std::process::exit(match ending {
        transport::Ending::Orderly => 0,
        transport::Ending::Abrupt => 1,
    })
}
