//! What is said and asked once, at the beginning: folders, settings, and what this server can do.
//!
//! INVARIANT: nothing is named here that has no handler.

use std::path::PathBuf;

use kpol_compiler::source::project::{self, Level, Levels};
use kpol_compiler::source::{Disk, Loader};
use serde_json::Value;
use tower_lsp_server::ls_types::*;

use crate::facts::Facts;
use crate::snapshot::Config;
use crate::wire;

/// Of requests that look through the whole workspace.
const TELLS: WorkDoneProgressOptions = WorkDoneProgressOptions { work_done_progress: Some(true) };

/// The folders that the client works in.
#[allow(deprecated, reason = "older clients say it only so")]
pub fn folders(params: &InitializeParams) -> Vec<PathBuf> {
    match &params.workspace_folders {
        Some(folders) => folders.iter().filter_map(|folder| folder_path(&folder.uri)).collect(),
        None => params.root_uri.iter().filter_map(folder_path).collect(),
    }
}

/// The path of a folder as the compiler has it.
pub fn folder_path(uri: &Uri) -> Option<PathBuf> {
    let path = wire::disk_path(uri)?;
    Some(Disk.canonical(&path).unwrap_or(path))
}

/// The user's settings, as `initializationOptions` or the section `kpol` of a configuration have them. What has another
/// type than it should is left out.
pub fn config(value: Option<&Value>) -> Config {
    let Some(value) = value else { return Config::default() };
    let value = value.get("kpol").unwrap_or(value);
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let list = |key: &str| {
        let array = value.get(key)?.as_array()?;
        Some(array.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<String>>())
    };
    let off = |key: &str| value.pointer(key).and_then(Value::as_bool) == Some(false);
    Config {
        include_dirs: list("include").unwrap_or_default().into_iter().map(PathBuf::from).collect(),
        kernel: text("kernel"),
        libseccomp: text("libseccomp"),
        capabilities: list("capabilities"),
        lints: lints(value.get("lints")),
        no_hints: off("/inlayHints"),
        no_lenses: off("/codeLens"),
    }
}

/// Levels of warnings, by code or name, or of `all`.
fn lints(value: Option<&Value>) -> Levels {
    let mut levels = Levels::default();
    for (warning, level) in value.and_then(Value::as_object).into_iter().flatten() {
        match (project::lint(warning), level.as_str().and_then(Level::from_word)) {
            (_, Some(level)) if warning == "all" => levels.set_all(level),
            (Some(code), Some(level)) => levels.set(code, level),
            _ => {}
        }
    }
    levels
}

/// What the client is asked to tell.
pub fn registrations(facts: &Facts) -> Vec<Registration> {
    let mut all = Vec::new();
    if facts.watch {
        let glob = |pattern: &str| serde_json::json!({ "globPattern": pattern });
        all.push(Registration {
            id: "kpol-files".to_owned(),
            method: "workspace/didChangeWatchedFiles".to_owned(),
            register_options: Some(
                serde_json::json!({ "watchers": [glob("**/*.kpol"), glob("**/kpol.toml"), glob("**/*.json")] }),
            ),
        });
    }
    if facts.watch_configuration {
        all.push(Registration {
            id: "kpol-settings".to_owned(),
            method: "workspace/didChangeConfiguration".to_owned(),
            register_options: Some(serde_json::json!({ "section": "kpol" })),
        });
    }
    all
}

fn file_operations() -> WorkspaceFileOperationsServerCapabilities {
    let pattern = |glob: &str, matches| FileOperationFilter {
        scheme: Some("file".to_owned()),
        pattern: FileOperationPattern { glob: glob.to_owned(), matches: Some(matches), options: None },
    };
    let filters =
        vec![pattern("**/*.kpol", FileOperationPatternKind::File), pattern("**/*", FileOperationPatternKind::Folder)];
    let will_rename = Some(FileOperationRegistrationOptions { filters });
    WorkspaceFileOperationsServerCapabilities { will_rename, ..WorkspaceFileOperationsServerCapabilities::default() }
}

/// What this server can do for this client.
pub fn of(facts: &Facts) -> ServerCapabilities {
    use kpol_grammar::lines::Encoding;
    ServerCapabilities {
        position_encoding: Some(match facts.encoding() {
            Encoding::Utf8 => PositionEncodingKind::UTF8,
            Encoding::Utf16 => PositionEncodingKind::UTF16,
            Encoding::Utf32 => PositionEncodingKind::UTF32,
        }),
        text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::INCREMENTAL),
            save: Some(TextDocumentSyncSaveOptions::Supported(true)),
            ..TextDocumentSyncOptions::default()
        })),
        diagnostic_provider: facts.pull.then(|| {
            DiagnosticServerCapabilities::Options(DiagnosticOptions {
                identifier: Some("kpol".to_owned()),
                inter_file_dependencies: true,
                workspace_diagnostics: false,
                work_done_progress_options: WorkDoneProgressOptions::default(),
            })
        }),
        workspace: Some(WorkspaceServerCapabilities {
            workspace_folders: Some(WorkspaceFoldersServerCapabilities {
                supported: Some(true),
                change_notifications: Some(OneOf::Left(true)),
            }),
            file_operations: facts.rename_files.then(file_operations),
        }),
        document_formatting_provider: Some(OneOf::Left(true)),
        document_range_formatting_provider: Some(OneOf::Left(true)),
        document_on_type_formatting_provider: Some(DocumentOnTypeFormattingOptions {
            first_trigger_character: "}".to_owned(),
            more_trigger_character: None,
        }),
        document_symbol_provider: Some(OneOf::Left(true)),
        folding_range_provider: Some(FoldingRangeProviderCapability::Simple(true)),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        completion_provider: Some(CompletionOptions {
            resolve_provider: Some(true),
            trigger_characters: Some(["@", "(", "{", "<", "\"", "/", "=", "&", ","].map(str::to_owned).to_vec()),
            ..CompletionOptions::default()
        }),
        signature_help_provider: Some(SignatureHelpOptions {
            trigger_characters: Some(vec!["(".to_owned(), ",".to_owned()]),
            retrigger_characters: Some(vec!["=".to_owned(), ")".to_owned()]),
            work_done_progress_options: WorkDoneProgressOptions::default(),
        }),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Right(ReferenceOptions { work_done_progress_options: TELLS })),
        document_highlight_provider: Some(OneOf::Left(true)),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: WorkDoneProgressOptions::default(),
        })),
        document_link_provider: Some(DocumentLinkOptions {
            resolve_provider: Some(false),
            work_done_progress_options: WorkDoneProgressOptions::default(),
        }),
        workspace_symbol_provider: Some(OneOf::Right(WorkspaceSymbolOptions {
            work_done_progress_options: TELLS,
            resolve_provider: Some(false),
        })),
        selection_range_provider: Some(SelectionRangeProviderCapability::Simple(true)),
        inlay_hint_provider: Some(OneOf::Left(true)),
        call_hierarchy_provider: Some(CallHierarchyServerCapability::Simple(true)),
        code_lens_provider: Some(CodeLensOptions { resolve_provider: Some(true) }),
        execute_command_provider: Some(ExecuteCommandOptions {
            commands: wire::COMMANDS.map(str::to_owned).to_vec(),
            work_done_progress_options: WorkDoneProgressOptions::default(),
        }),
        // A client without literals would get commands, of which there are none for this.
        code_action_provider: facts.action_literals.then(|| {
            CodeActionProviderCapability::Options(CodeActionOptions {
                code_action_kinds: Some(wire::action_kinds()),
                resolve_provider: Some(false),
                work_done_progress_options: WorkDoneProgressOptions::default(),
            })
        }),
        semantic_tokens_provider: Some(SemanticTokensServerCapabilities::SemanticTokensOptions(
            SemanticTokensOptions {
                work_done_progress_options: WorkDoneProgressOptions::default(),
                legend: wire::legend(),
                range: Some(true),
                full: Some(SemanticTokensFullOptions::Delta { delta: Some(true) }),
            },
        )),
        ..ServerCapabilities::default()
    }
}
