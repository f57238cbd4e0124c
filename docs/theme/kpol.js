// Colours for kpol in the book: highlight.js has no such language, so this says what a word is, and draws those blocks anew.
(() => {
    const escaped = { className: "char.escape", begin: /\\["\\]/ };
    hljs.registerLanguage("kpol", () => ({
        keywords: {
            keyword:
                "include default arch const group override when cap kernel assert within syscall on flags listener not except in",
            built_in: "allow log deny kill kill_thread trap trace notify",
        },
        contains: [
            { className: "comment", begin: /\/\//, end: /$/ },
            { className: "comment", begin: /\/\*/, end: /\*\// },
            { className: "string", begin: /"/, end: /"/, illegal: /\n/, contains: [escaped] },
            { className: "string", begin: /<[a-z]/, end: />/, illegal: /\n/ },
            { className: "title", begin: /@[A-Za-z][A-Za-z0-9_-]*/ },
            { className: "number", begin: /\b0x[0-9a-fA-F_]+|\b0o[0-7_]+|\b0b[01_]+|\b[0-9][0-9_]*/ },
            { className: "literal", begin: /\b[A-Z][A-Z0-9_]+\b/ },
        ],
    }));
    for (const block of document.querySelectorAll("code.language-kpol")) {
        hljs.highlightBlock(block);
        block.classList.add("hljs");
    }
})();
