//! What the client is told of findings, and knows already.
//!
//! ```text
//! check 7: web.kpol E030        published; a client that fetches is asked to fetch
//! fetched at 8: web.kpol E030   the same: nothing
//! check 9: web.kpol fine        published; asked to fetch
//! ```

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use tokio::sync::mpsc;
use tower_lsp_server::Client;
use tower_lsp_server::ls_types::Diagnostic;

use super::lock;
use crate::facts::Facts;
use crate::state::State;
use crate::wire::Said;

/// What was found at a moment, in the client's words.
pub(super) struct Published {
    pub generation: u64,
    pub files: Vec<Said>,
}

/// What the client knows, in the order in which it was found.
pub(super) enum Told {
    /// By a check: to be published, or the client is asked to fetch.
    Found(Published),
    /// By an answer to the client's own question.
    Fetched(Vec<Said>),
}

/// Says what was found, if it is still true: what belongs to an older moment waits for the check that is on its way.
pub(super) async fn publish(
    client: Client,
    state: Arc<Mutex<State>>,
    facts: Arc<OnceLock<Facts>>,
    mut found: mpsc::UnboundedReceiver<Told>,
) {
    let mut waiting: HashMap<PathBuf, Said> = HashMap::new();
    let mut said: HashMap<PathBuf, (Option<i32>, Vec<Diagnostic>)> = HashMap::new();
    while let Some(told) = found.recv().await {
        let published = match told {
            Told::Found(published) => published,
            Told::Fetched(files) => {
                said.extend(files.into_iter().map(|file| (file.path, (file.version, file.diagnostics))));
                continue;
            }
        };
        waiting.extend(published.files.into_iter().map(|file| (file.path.clone(), file)));
        if lock(&state).generation() != published.generation {
            continue;
        }
        let facts = facts.get().cloned().unwrap_or_default();
        let mut news: Vec<Said> = waiting.drain().map(|(_, file)| file).collect();
        news.sort_by(|a, b| (a.version.is_none(), &a.path).cmp(&(b.version.is_none(), &b.path)));
        let mut elsewhere = false;
        for file in news {
            let before = said.get(&file.path);
            let same = before
                .map_or(file.diagnostics.is_empty() && file.version.is_none(), |(version, diagnostics)| {
                    *version == file.version && *diagnostics == file.diagnostics
                });
            if same {
                continue;
            }
            elsewhere |= before.is_none_or(|(_, diagnostics)| *diagnostics != file.diagnostics);
            if file.version.is_none() && file.diagnostics.is_empty() {
                said.remove(&file.path);
            } else {
                said.insert(file.path.clone(), (file.version, file.diagnostics.clone()));
            }
            if !facts.pull {
                let version = file.version.filter(|_| facts.diagnostic_versions);
                client.publish_diagnostics(file.uri, file.diagnostics, version).await;
            }
        }
        if elsewhere && facts.pull && facts.pull_refresh {
            let client = client.clone();
            tokio::task::spawn_local(async move { client.workspace_diagnostic_refresh().await });
        }
    }
}
