//! What the client can do, read once from its `initialize`.

use kpol_grammar::lines::Encoding;
use serde_json::Value;

/// What the client can do.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names are the protocol's own")]
pub struct Facts {
    pub utf8: bool,
    pub utf32: bool,
    pub related_information: bool,
    pub code_description: bool,
    pub tags: bool,
    pub diagnostic_versions: bool,
    pub pull: bool,
    pub pull_related: bool,
    pub pull_refresh: bool,
    pub hierarchical_symbols: bool,
    pub markdown_hover: bool,
    pub markdown_completion: bool,
    pub snippets: bool,
    pub insert_replace: bool,
    pub label_offsets: bool,
    pub links: bool,
    pub action_literals: bool,
    pub lines_only: bool,
    pub configuration: bool,
    pub watch: bool,
    pub watch_configuration: bool,
    pub progress: bool,
    pub document_changes: bool,
    pub lens_refresh: bool,
    pub hints_refresh: bool,
    pub tokens_refresh: bool,
    pub rename_files: bool,
    pub process: Option<u32>,
}

impl Facts {
    /// Reads `InitializeParams`.
    pub fn read(params: &Value) -> Self {
        let at = |pointer: &str| params.pointer(&format!("/capabilities/{pointer}"));
        let can = |pointer: &str| at(pointer).and_then(Value::as_bool).unwrap_or(false);
        let has = |pointer: &str| at(pointer).is_some_and(|value| !value.is_null());
        let lists = |pointer: &str, word: &str| {
            at(pointer).and_then(Value::as_array).is_some_and(|list| list.iter().any(|value| value == word))
        };
        let tags = "textDocument/publishDiagnostics/tagSupport";
        Self {
            utf8: lists("general/positionEncodings", "utf-8"),
            utf32: lists("general/positionEncodings", "utf-32"),
            related_information: can("textDocument/publishDiagnostics/relatedInformation")
                || can("textDocument/diagnostic/relatedInformation"),
            code_description: can("textDocument/publishDiagnostics/codeDescriptionSupport")
                || can("textDocument/diagnostic/codeDescriptionSupport"),
            tags: has(tags) && at(tags) != Some(&Value::Bool(false)) || has("textDocument/diagnostic/tagSupport"),
            diagnostic_versions: can("textDocument/publishDiagnostics/versionSupport"),
            pull: has("textDocument/diagnostic"),
            pull_related: can("textDocument/diagnostic/relatedDocumentSupport"),
            pull_refresh: can("workspace/diagnostics/refreshSupport"),
            hierarchical_symbols: can("textDocument/documentSymbol/hierarchicalDocumentSymbolSupport"),
            markdown_hover: lists("textDocument/hover/contentFormat", "markdown"),
            markdown_completion: lists("textDocument/completion/completionItem/documentationFormat", "markdown"),
            snippets: can("textDocument/completion/completionItem/snippetSupport"),
            insert_replace: can("textDocument/completion/completionItem/insertReplaceSupport"),
            label_offsets: can(
                "textDocument/signatureHelp/signatureInformation/parameterInformation/labelOffsetSupport",
            ),
            links: can("textDocument/definition/linkSupport"),
            action_literals: has("textDocument/codeAction/codeActionLiteralSupport"),
            lines_only: can("textDocument/foldingRange/lineFoldingOnly"),
            configuration: can("workspace/configuration"),
            watch: can("workspace/didChangeWatchedFiles/dynamicRegistration"),
            watch_configuration: can("workspace/didChangeConfiguration/dynamicRegistration"),
            progress: can("window/workDoneProgress"),
            document_changes: can("workspace/workspaceEdit/documentChanges"),
            lens_refresh: can("workspace/codeLens/refreshSupport"),
            hints_refresh: can("workspace/inlayHint/refreshSupport"),
            tokens_refresh: can("workspace/semanticTokens/refreshSupport"),
            rename_files: can("workspace/fileOperations/willRename"),
            process: params.get("processId").and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok()),
        }
    }

    /// The encoding that costs least among those that the client offers; UTF-16 is what everyone speaks.
    pub fn encoding(&self) -> Encoding {
        match (self.utf8, self.utf32) {
            (true, _) => Encoding::Utf8,
            (false, true) => Encoding::Utf32,
            (false, false) => Encoding::Utf16,
        }
    }
}
