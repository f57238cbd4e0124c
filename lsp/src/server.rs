//! The routes: which message changes what, which question is answered by what.
//!
//! ```text
//! textDocument/hover → snapshot · engine: answer::hover · wire → Hover
//! ```
//!
//! What a handler does before its first `.await` happens in the order in which messages arrive (`transport`); after
//! it, order does not matter any more, since the snapshot of the moment is in the question.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::mpsc;
use tower_lsp_server::jsonrpc::{Error, ErrorCode, Result};
use tower_lsp_server::ls_types::*;
use tower_lsp_server::{Client, LanguageServer, LspService};

use crate::answer;
use crate::engine::Engine;
use crate::facts::Facts;
use crate::snapshot::Snapshot;
use crate::state::{Change, State};
use crate::transport::{self, Ending};
use crate::unit::Unit;
use crate::wire::{self, Said, View};
use crate::world::World;

mod capabilities;
mod told;

use told::{Published, Told, publish};

/// The server.
pub struct Server {
    client: Client,
    state: Arc<Mutex<State>>,
    engine: Engine,
    facts: Arc<OnceLock<Facts>>,
    /// What clients that fetch have been told.
    told: mpsc::UnboundedSender<Told>,
}

/// Serves until the client goes.
pub async fn serve(input: impl Read + Send + 'static, output: impl Write + Send + 'static) -> Ending {
    let state = Arc::new(Mutex::new(State::default()));
    let facts: Arc<OnceLock<Facts>> = Arc::default();
    let (found, to_publish) = mpsc::unbounded_channel();
    let told = found.clone();
    let engine = {
        let facts = Arc::clone(&facts);
        Engine::start(move |world, report| {
            let facts = facts.get().cloned().unwrap_or_default();
            let files = report.files.into_iter();
            let files = files
                .filter_map(|(path, findings)| wire::published(world, &report.snapshot, &facts, path, &findings))
                .collect();
            let _ = found.send(Told::Found(Published { generation: report.snapshot.generation, files }));
        })
    };
    let (service, socket) = LspService::new(|client| {
        let publisher = publish(client.clone(), Arc::clone(&state), Arc::clone(&facts), to_publish);
        tokio::task::spawn_local(publisher);
        Server { client, state, engine, facts, told }
    });
    transport::serve(input, output, service, socket).await
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Every change of the state is whole before anything can panic.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends with the client's process, should its end of the pipe outlive it. One that cannot be seen from here (another
/// namespace) is not waited for.
async fn end_with(process: u32) {
    let entry = PathBuf::from(format!("/proc/{process}"));
    if !entry.exists() {
        return;
    }
    while entry.exists() {
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    }
    std::process::exit(1);
}

/// Something that the client shows for as long as it lasts.
type Ongoing = tower_lsp_server::OngoingProgress<tower_lsp_server::Unbounded, tower_lsp_server::NotCancellable>;

async fn end(ongoing: Option<Ongoing>) {
    if let Some(ongoing) = ongoing {
        ongoing.finish().await;
    }
}

/// What is asked cannot be done, and why.
fn refusal(why: String) -> Error {
    // RequestFailed: the request was right, and the answer is no.
    Error { code: ErrorCode::ServerError(-32803), message: why.into(), data: None }
}

impl Server {
    fn facts(&self) -> Facts {
        self.facts.get().cloned().unwrap_or_default()
    }

    /// Changes the state, and has checked what that concerns.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = lock(&self.state);
        let before = state.generation();
        let result = change(&mut state);
        if state.generation() != before {
            self.engine.check(state.snapshot());
        }
        result
    }

    /// Asks about this moment.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut World, &Snapshot) -> T + Send + 'static,
    ) -> Result<T> {
        let answer = self.engine.ask(lock(&self.state).snapshot(), question);
        answer.await.map_err(|_| Error::internal_error())
    }

    /// Asks about a file of this moment; a file that there is not has no answer.
    async fn ask_file<T: Send + 'static>(
        &self,
        document: &TextDocumentIdentifier,
        question: impl FnOnce(&mut World, &Snapshot, &Arc<Unit>) -> Option<T> + Send + 'static,
    ) -> Result<Option<T>> {
        let path = self.path(&document.uri);
        self.ask(move |world, snapshot| {
            let unit = world.unit(snapshot, &path)?;
            question(world, snapshot, &unit)
        })
        .await
    }

    /// Tells a client that wants to know that something takes its time.
    async fn begin(&self, token: Option<ProgressToken>, title: &str) -> Option<Ongoing> {
        Some(self.client.progress(token?, title).begin().await)
    }

    /// Asks the client for the settings. Whatever it answers, and whenever, nothing waits for it.
    fn pull_configuration(&self) {
        let (client, state, engine) = (self.client.clone(), Arc::clone(&self.state), self.engine.clone());
        tokio::task::spawn_local(async move {
            let item = ConfigurationItem { scope_uri: None, section: Some("kpol".to_owned()) };
            let Ok(values) = client.configuration(vec![item]).await else { return };
            let Some(value) = values.first().filter(|value| value.is_object()) else { return };
            let mut state = lock(&state);
            if state.configure(capabilities::config(Some(value))) {
                engine.check(state.snapshot());
            }
        });
    }

    fn path(&self, uri: &Uri) -> PathBuf {
        lock(&self.state).path_for(uri.as_str(), wire::disk_path(uri).as_deref())
    }
}

impl LanguageServer for Server {
    async fn initialize(&self, params: InitializeParams) -> Result<InitializeResult> {
        let value = serde_json::to_value(&params).unwrap_or_default();
        let facts = Facts::read(&value);
        let encoding = facts.encoding();
        let folders = capabilities::folders(&params);
        let config = capabilities::config(params.initialization_options.as_ref());
        lock(&self.state).begin(|snapshot| {
            snapshot.encoding = encoding;
            snapshot.folders = Arc::new(folders);
            snapshot.config = Arc::new(config);
        });
        let capabilities = capabilities::of(&facts);
        let _ = self.facts.set(facts);
        let version = Some(env!("CARGO_PKG_VERSION").to_owned());
        Ok(InitializeResult {
            capabilities,
            server_info: Some(ServerInfo { name: "kpol-lsp".to_owned(), version }),
            ..InitializeResult::default()
        })
    }

    async fn initialized(&self, _: InitializedParams) {
        let (client, facts) = (self.client.clone(), self.facts());
        let registrations = capabilities::registrations(&facts);
        if !registrations.is_empty() {
            // Not waited for: a client that never answers keeps nobody.
            tokio::task::spawn_local(async move { client.register_capability(registrations).await });
        }
        if facts.configuration {
            self.pull_configuration();
        }
        if let Some(process) = facts.process {
            tokio::task::spawn_local(end_with(process));
        }
    }

    async fn shutdown(&self) -> Result<()> {
        Ok(())
    }

    async fn did_open(&self, params: DidOpenTextDocumentParams) {
        let document = params.text_document;
        let disk = wire::disk_path(&document.uri);
        self.change(|state| state.open(document.uri.as_str(), disk.as_deref(), document.version, document.text));
    }

    async fn did_change(&self, params: DidChangeTextDocumentParams) {
        let document = params.text_document;
        let changes = params.content_changes.into_iter().map(|change| Change {
            range: change.range.map(|range| (wire::position(range.start), wire::position(range.end))),
            text: change.text,
        });
        self.change(|state| state.change(document.uri.as_str(), document.version, changes.collect()));
    }

    async fn did_save(&self, _: DidSaveTextDocumentParams) {
        self.change(State::touched);
    }

    async fn did_close(&self, params: DidCloseTextDocumentParams) {
        self.change(|state| state.close(params.text_document.uri.as_str()));
    }

    async fn did_change_configuration(&self, params: DidChangeConfigurationParams) {
        if self.facts().configuration {
            self.pull_configuration();
        } else if params.settings.is_object() {
            self.change(|state| state.configure(capabilities::config(Some(&params.settings))));
        }
    }

    async fn did_change_watched_files(&self, _: DidChangeWatchedFilesParams) {
        self.change(State::touched);
    }

    async fn did_change_workspace_folders(&self, params: DidChangeWorkspaceFoldersParams) {
        let paths = |folders: Vec<WorkspaceFolder>| -> Vec<PathBuf> {
            folders.iter().filter_map(|folder| capabilities::folder_path(&folder.uri)).collect()
        };
        self.change(|state| state.folders(paths(params.event.added), &paths(params.event.removed)));
    }

    async fn diagnostic(&self, params: DocumentDiagnosticParams) -> Result<DocumentDiagnosticReportResult> {
        let facts = self.facts();
        let path = self.path(&params.text_document.uri);
        let told = self.told.clone();
        let said = self
            .ask(move |world, snapshot| {
                for stale in world.stale(snapshot) {
                    world.check(snapshot, &stale);
                }
                let mut files = vec![path.clone()];
                if facts.pull_related {
                    files.extend(world.led_to(&path).into_iter().filter(|file| snapshot.document(file).is_none()));
                }
                let findings = |file: PathBuf| {
                    let findings = world.findings(&file);
                    wire::published(world, snapshot, &facts, file, &findings)
                };
                let said: Vec<Said> = files.into_iter().filter_map(findings).collect();
                // From this thread, so that it stands before what the next check finds.
                if facts.pull {
                    let _ = told.send(Told::Fetched(said.clone()));
                }
                said
            })
            .await?;
        Ok(wire::pulled(said, params.previous_result_id.as_deref()))
    }

    async fn formatting(&self, params: DocumentFormattingParams) -> Result<Option<Vec<TextEdit>>> {
        self.ask_file(&params.text_document, |_, snapshot, unit| {
            Some(wire::edits(View::of(unit, snapshot), answer::format::whole(unit)))
        })
        .await
    }

    async fn range_formatting(&self, params: DocumentRangeFormattingParams) -> Result<Option<Vec<TextEdit>>> {
        self.ask_file(&params.text_document, move |_, snapshot, unit| {
            let view = View::of(unit, snapshot);
            Some(wire::edits(view, answer::format::range(unit, view.span(params.range))))
        })
        .await
    }

    async fn on_type_formatting(&self, params: DocumentOnTypeFormattingParams) -> Result<Option<Vec<TextEdit>>> {
        let at = params.text_document_position;
        self.ask_file(&at.text_document, move |_, snapshot, unit| {
            let view = View::of(unit, snapshot);
            Some(wire::edits(view, answer::format::typed(unit, view.offset(at.position))))
        })
        .await
    }

    async fn document_symbol(&self, params: DocumentSymbolParams) -> Result<Option<DocumentSymbolResponse>> {
        let tree = self.facts().hierarchical_symbols;
        let uri = params.text_document.uri.clone();
        self.ask_file(&params.text_document, move |_, snapshot, unit| {
            let (view, symbols) = (View::of(unit, snapshot), answer::symbols::of(unit));
            Some(match tree {
                true => DocumentSymbolResponse::Nested(wire::symbol_tree(view, &symbols)),
                false => DocumentSymbolResponse::Flat(wire::symbol_list(view, &uri, &symbols)),
            })
        })
        .await
    }

    async fn folding_range(&self, params: FoldingRangeParams) -> Result<Option<Vec<FoldingRange>>> {
        let facts = self.facts();
        self.ask_file(&params.text_document, move |_, snapshot, unit| {
            Some(wire::folds(View::of(unit, snapshot), &answer::folding::of(unit), &facts))
        })
        .await
    }

    async fn hover(&self, params: HoverParams) -> Result<Option<Hover>> {
        let markdown = self.facts().markdown_hover;
        let at = params.text_document_position_params;
        self.ask_file(&at.text_document, move |world, snapshot, unit| {
            let view = View::of(unit, snapshot);
            let hover = answer::hover::of(world, snapshot, unit, view.offset(at.position))?;
            let contents = HoverContents::Markup(wire::markup(hover.text, markdown));
            Some(Hover { contents, range: Some(view.range(hover.span)) })
        })
        .await
    }

    async fn completion(&self, params: CompletionParams) -> Result<Option<CompletionResponse>> {
        let facts = self.facts();
        let at = params.text_document_position;
        self.ask_file(&at.text_document.clone(), move |world, snapshot, unit| {
            let view = View::of(unit, snapshot);
            let found = answer::completion::of(world, snapshot, unit, view.offset(at.position));
            Some(CompletionResponse::List(wire::completions(view, &facts, &at.text_document.uri, found)))
        })
        .await
    }

    async fn completion_resolve(&self, mut item: CompletionItem) -> Result<CompletionItem> {
        let facts = self.facts();
        let Some((uri, kind)) = wire::offered(&item) else { return Ok(item) };
        let path = lock(&self.state).path_for(&uri, None);
        let label = item.label.clone();
        let more =
            self.ask(move |world, snapshot| answer::completion::more(world, snapshot, &path, &label, kind)).await?;
        item.documentation = more.map(|text| wire::documentation(text, &facts));
        Ok(item)
    }

    async fn signature_help(&self, params: SignatureHelpParams) -> Result<Option<SignatureHelp>> {
        let facts = self.facts();
        let at = params.text_document_position_params;
        self.ask_file(&at.text_document, move |world, snapshot, unit| {
            let offset = View::of(unit, snapshot).offset(at.position);
            answer::signature::of(world, snapshot, unit, offset).map(|found| wire::signature(&facts, found))
        })
        .await
    }

    async fn goto_definition(&self, params: GotoDefinitionParams) -> Result<Option<GotoDefinitionResponse>> {
        let facts = self.facts();
        let at = params.text_document_position_params;
        self.ask_file(&at.text_document, move |world, snapshot, unit| {
            let view = View::of(unit, snapshot);
            let (origin, found) = answer::definition::of(world, snapshot, unit, view.offset(at.position))?;
            wire::definitions(world, snapshot, &facts, view.range(origin), &found)
        })
        .await
    }

    async fn references(&self, params: ReferenceParams) -> Result<Option<Vec<Location>>> {
        let at = params.text_document_position;
        let with_definition = params.context.include_declaration;
        let path = self.path(&at.text_document.uri);
        // Asked before anything is awaited: of the text as it is now.
        let answer = self.engine.ask(lock(&self.state).snapshot(), move |world, snapshot| {
            let unit = world.unit(snapshot, &path)?;
            let offset = View::of(&unit, snapshot).offset(at.position);
            let uses = answer::references::of(world, snapshot, &unit, offset);
            let uses = uses.iter().filter(|used| with_definition || !used.defines);
            Some(uses.filter_map(|used| wire::location(world, snapshot, &used.place)).collect())
        });
        let progress = self.begin(params.work_done_progress_params.work_done_token, "Looking through policies").await;
        let found = answer.await.map_err(|_| Error::internal_error());
        end(progress).await;
        found
    }

    async fn document_highlight(&self, params: DocumentHighlightParams) -> Result<Option<Vec<DocumentHighlight>>> {
        let at = params.text_document_position_params;
        self.ask_file(&at.text_document, move |_, snapshot, unit| {
            let view = View::of(unit, snapshot);
            let found = answer::references::highlights(unit, view.offset(at.position)).into_iter();
            let kind = |defines| if defines { DocumentHighlightKind::WRITE } else { DocumentHighlightKind::READ };
            let one = |(span, defines)| DocumentHighlight { range: view.range(span), kind: Some(kind(defines)) };
            Some(found.map(one).collect())
        })
        .await
    }

    async fn prepare_rename(&self, params: TextDocumentPositionParams) -> Result<Option<PrepareRenameResponse>> {
        let at = params.position;
        let prepared = self
            .ask_file(&params.text_document, move |world, snapshot, unit| {
                let view = View::of(unit, snapshot);
                let found = answer::rename::prepare(world, snapshot, unit, view.offset(at));
                Some(found.map(|(span, placeholder)| (view.range(span), placeholder)))
            })
            .await?;
        let answer = |(range, placeholder)| PrepareRenameResponse::RangeWithPlaceholder { range, placeholder };
        prepared.transpose().map(|found| found.map(answer)).map_err(refusal)
    }

    async fn rename(&self, params: RenameParams) -> Result<Option<WorkspaceEdit>> {
        let facts = self.facts();
        let at = params.text_document_position;
        let renamed = self
            .ask_file(&at.text_document, move |world, snapshot, unit| {
                let offset = View::of(unit, snapshot).offset(at.position);
                let edits = answer::rename::of(world, snapshot, unit, offset, &params.new_name);
                Some(edits.and_then(|edits| {
                    wire::workspace_edit(world, snapshot, &facts, edits).ok_or("a file cannot be changed".to_owned())
                }))
            })
            .await?;
        renamed.transpose().map_err(refusal)
    }

    async fn document_link(&self, params: DocumentLinkParams) -> Result<Option<Vec<DocumentLink>>> {
        self.ask_file(&params.text_document, |world, snapshot, unit| {
            let view = View::of(unit, snapshot);
            let links = answer::links::of(world, snapshot, unit).into_iter();
            let one = |(span, path): (_, PathBuf)| DocumentLink {
                range: view.range(span),
                target: wire::uri(snapshot, &path),
                tooltip: None,
                data: None,
            };
            Some(links.map(one).collect())
        })
        .await
    }

    async fn code_action(&self, params: CodeActionParams) -> Result<Option<CodeActionResponse>> {
        let facts = self.facts();
        self.ask_file(&params.text_document, move |world, snapshot, unit| {
            let range = View::of(unit, snapshot).span(params.range);
            let found = answer::actions::of(world, snapshot, unit, range);
            let only = params.context.only.as_deref();
            Some(wire::actions(world, snapshot, &facts, unit, only, found))
        })
        .await
    }

    async fn semantic_tokens_full(&self, params: SemanticTokensParams) -> Result<Option<SemanticTokensResult>> {
        self.ask_file(&params.text_document, |world, snapshot, unit| {
            let data = wire::encode(View::of(unit, snapshot), &answer::tokens::of(unit, None));
            let result_id = Some(world.remember(unit));
            Some(SemanticTokensResult::Tokens(SemanticTokens { result_id, data }))
        })
        .await
    }

    async fn semantic_tokens_full_delta(
        &self,
        params: SemanticTokensDeltaParams,
    ) -> Result<Option<SemanticTokensFullDeltaResult>> {
        self.ask_file(&params.text_document, move |world, snapshot, unit| {
            let data = wire::encode(View::of(unit, snapshot), &answer::tokens::of(unit, None));
            let before = world.remembered(&unit.path, &params.previous_result_id);
            let before = before.map(|old| wire::encode(View::of(&old, snapshot), &answer::tokens::of(&old, None)));
            let result_id = Some(world.remember(unit));
            Some(match before {
                Some(before) => SemanticTokensFullDeltaResult::TokensDelta(SemanticTokensDelta {
                    result_id,
                    edits: wire::difference(&before, &data),
                }),
                None => SemanticTokensFullDeltaResult::Tokens(SemanticTokens { result_id, data }),
            })
        })
        .await
    }

    async fn semantic_tokens_range(
        &self,
        params: SemanticTokensRangeParams,
    ) -> Result<Option<SemanticTokensRangeResult>> {
        self.ask_file(&params.text_document, move |_, snapshot, unit| {
            let view = View::of(unit, snapshot);
            let data = wire::encode(view, &answer::tokens::of(unit, Some(view.span(params.range))));
            Some(SemanticTokensRangeResult::Tokens(SemanticTokens { result_id: None, data }))
        })
        .await
    }

    async fn inlay_hint(&self, params: InlayHintParams) -> Result<Option<Vec<InlayHint>>> {
        self.ask_file(&params.text_document, move |world, snapshot, unit| {
            if snapshot.config.no_hints {
                return None;
            }
            let view = View::of(unit, snapshot);
            let hints = answer::hints::of(world, snapshot, unit, view.span(params.range)).into_iter();
            Some(hints.map(|hint| wire::hint(view, hint)).collect())
        })
        .await
    }

    async fn selection_range(&self, params: SelectionRangeParams) -> Result<Option<Vec<SelectionRange>>> {
        self.ask_file(&params.text_document, move |_, snapshot, unit| {
            let view = View::of(unit, snapshot);
            let one = |at: &Position| wire::selection(view, &answer::selection::of(unit, view.offset(*at)));
            Some(params.positions.iter().map(one).collect())
        })
        .await
    }

    async fn symbol(&self, params: WorkspaceSymbolParams) -> Result<Option<WorkspaceSymbolResponse>> {
        let progress = self.begin(params.work_done_progress_params.work_done_token, "Looking through policies").await;
        let found = self
            .ask(move |world, snapshot| {
                let found = answer::search::of(world, snapshot, &params.query);
                found.iter().filter_map(|found| wire::symbol(world, snapshot, found)).collect()
            })
            .await;
        end(progress).await;
        Ok(Some(WorkspaceSymbolResponse::Flat(found?)))
    }

    async fn code_lens(&self, params: CodeLensParams) -> Result<Option<Vec<CodeLens>>> {
        let uri = params.text_document.uri.clone();
        self.ask_file(&params.text_document, move |_, snapshot, unit| {
            if snapshot.config.no_lenses {
                return None;
            }
            let view = View::of(unit, snapshot);
            let lenses = answer::lenses::of(unit).into_iter();
            Some(lenses.map(|(span, about)| wire::lens(view, &uri, span, about)).collect())
        })
        .await
    }

    async fn code_lens_resolve(&self, mut lens: CodeLens) -> Result<CodeLens> {
        let Some((uri, span, about)) = wire::lens_of(&lens) else { return Ok(lens) };
        let path = lock(&self.state).path_for(&uri, None);
        let title = self
            .ask(move |world, snapshot| {
                let unit = world.unit(snapshot, &path)?;
                Some(answer::lenses::words(world, snapshot, &unit, span, about))
            })
            .await?;
        lens.command = title.map(|title| wire::command(&uri, lens.range, about, title));
        Ok(lens)
    }

    async fn execute_command(&self, params: ExecuteCommandParams) -> Result<Option<LSPAny>> {
        let word = |index: usize| params.arguments.get(index).and_then(LSPAny::as_str).map(str::to_owned);
        let uri = word(0).and_then(|uri| uri.parse::<Uri>().ok());
        let Some(uri) = uri else { return Err(Error::invalid_params("the first argument is a file's URI")) };
        let path = self.path(&uri);
        match params.command.as_str() {
            "kpol.preview" => {
                let about = word(1).as_deref().and_then(wire::about);
                let Some(about) = about else { return Err(Error::invalid_params("the form is `json` or `bpf`")) };
                let text =
                    self.ask(move |world, snapshot| answer::lenses::preview(world, snapshot, &path, about)).await?;
                text.map(|text| Some(text.into())).map_err(refusal)
            }
            "kpol.uses" => {
                let at = params.arguments.get(1).cloned().and_then(|at| serde_json::from_value::<Position>(at).ok());
                let Some(at) = at else { return Err(Error::invalid_params("the second argument is a position")) };
                let document = TextDocumentIdentifier { uri };
                let places = self.ask_file(&document, move |world, snapshot, unit| {
                    let uses = answer::references::of(world, snapshot, unit, View::of(unit, snapshot).offset(at));
                    let uses = uses.iter().filter(|used| !used.defines);
                    Some(uses.filter_map(|used| wire::location(world, snapshot, &used.place)).collect::<Vec<_>>())
                });
                Ok(serde_json::to_value(places.await?).ok())
            }
            // Nothing that a client sends is known to make an answer panic; so what happens then can be seen only like this.
            #[cfg(debug_assertions)]
            #[allow(clippy::panic, reason = "what is asked for")]
            "kpol.panic" => self.ask(|_, _| panic!("asked for, by a test")).await,
            other => Err(Error::invalid_params(format!("no command `{other}`"))),
        }
    }

    async fn prepare_call_hierarchy(
        &self,
        params: CallHierarchyPrepareParams,
    ) -> Result<Option<Vec<CallHierarchyItem>>> {
        let at = params.text_document_position_params;
        self.ask_file(&at.text_document, move |world, snapshot, unit| {
            let offset = View::of(unit, snapshot).offset(at.position);
            let nodes = answer::calls::prepare(world, snapshot, unit, offset);
            Some(nodes.iter().filter_map(|node| wire::call_item(world, snapshot, node)).collect::<Vec<_>>())
                .filter(|items| !items.is_empty())
        })
        .await
    }

    async fn incoming_calls(
        &self,
        params: CallHierarchyIncomingCallsParams,
    ) -> Result<Option<Vec<CallHierarchyIncomingCall>>> {
        let Some(node) = wire::call_node(&params.item) else { return Ok(None) };
        self.ask(move |world, snapshot| {
            let edges = answer::calls::incoming(world, snapshot, &node).into_iter();
            let one = |edge: answer::calls::Edge| {
                let from_ranges = wire::call_ranges(world, snapshot, &edge.node, &edge);
                Some(CallHierarchyIncomingCall { from: wire::call_item(world, snapshot, &edge.node)?, from_ranges })
            };
            Some(edges.filter_map(one).collect())
        })
        .await
    }

    async fn outgoing_calls(
        &self,
        params: CallHierarchyOutgoingCallsParams,
    ) -> Result<Option<Vec<CallHierarchyOutgoingCall>>> {
        let Some(node) = wire::call_node(&params.item) else { return Ok(None) };
        self.ask(move |world, snapshot| {
            let edges = answer::calls::outgoing(world, snapshot, &node).into_iter();
            let one = |edge: answer::calls::Edge| {
                let from_ranges = wire::call_ranges(world, snapshot, &node, &edge);
                Some(CallHierarchyOutgoingCall { to: wire::call_item(world, snapshot, &edge.node)?, from_ranges })
            };
            Some(edges.filter_map(one).collect())
        })
        .await
    }

    async fn will_rename_files(&self, params: RenameFilesParams) -> Result<Option<WorkspaceEdit>> {
        let facts = self.facts();
        let path = |uri: &str| uri.parse::<Uri>().ok().map(|uri| self.path(&uri));
        let renames: Vec<(PathBuf, PathBuf)> =
            params.files.iter().filter_map(|file| Some((path(&file.old_uri)?, path(&file.new_uri)?))).collect();
        self.ask(move |world, snapshot| {
            let edits = answer::moves::of(world, snapshot, &renames);
            wire::workspace_edit(world, snapshot, &facts, edits)
        })
        .await
    }
}
