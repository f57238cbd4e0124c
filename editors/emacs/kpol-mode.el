;;; kpol-mode.el --- Major modes for kpol, a policy language for Linux syscall filters -*- lexical-binding: t; -*-

;; Version: 0.1.0
;; Package-Requires: ((emacs "29.1"))
;; Keywords: languages
;; SPDX-License-Identifier: Apache-2.0 OR MIT

;;; Commentary:

;; `kpol-mode' needs nothing but this file.  `kpol-ts-mode' is taken instead where Emacs has tree-sitter (29 and
;; later) and finds `libtree-sitter-kpol'.  Both tell Eglot of the language server: `M-x eglot'.

;;; Code:

(require 'treesit nil t)

(defgroup kpol nil
  "Policies for Linux syscall filters."
  :group 'languages)

(defcustom kpol-indent-offset 4
  "Columns of one level, as `kpolc fmt' indents."
  :type 'integer
  :safe #'integerp)

(defconst kpol--actions '("allow" "log" "deny" "kill" "kill_thread" "trap" "trace" "notify"))

(defconst kpol--outcomes '("refused" "runs"))

(defconst kpol--keywords
  '("include" "within" "default" "override" "arch" "const" "group" "when" "assert" "waive" "syscall" "flags"
    "listener" "from" "because" "except" "not" "in" "on" "cap" "kernel"))

(defvar kpol-mode-syntax-table
  (let ((table (make-syntax-table)))
    (modify-syntax-entry ?/ ". 124b" table)
    (modify-syntax-entry ?* ". 23" table)
    (modify-syntax-entry ?\n "> b" table)
    (modify-syntax-entry ?\" "\"" table)
    (modify-syntax-entry ?\\ "\\" table)
    (modify-syntax-entry ?_ "_" table)
    (modify-syntax-entry ?@ "_" table)
    (dolist (operator '(?& ?| ?^ ?~ ?! ?= ?< ?> ?+ ?-))
      (modify-syntax-entry operator "." table))
    table)
  "What characters are: comments of both kinds, texts, names.")

;; Words are reserved nowhere: `allow { kill }' names a call.  So a word is an action only before `{', `(' or at the
;; end of a line, and a keyword only where its statement can begin.
(defvar kpol--font-lock
  (let ((name "[[:alpha:]_][[:alnum:]_]*"))
    `(("@[[:alpha:]][[:alnum:]_-]*" . font-lock-type-face)
      (,(concat "\\_<default[ \t]+\\(" (regexp-opt kpol--actions) "\\)\\_>") 1 font-lock-builtin-face)
      (,(concat "\\_<" (regexp-opt kpol--actions) "\\_>\\(?:[ \t]*([^(){}\n]*)\\)?[ \t]*{")
       (0 nil)
       (,(concat "\\_<" (regexp-opt kpol--actions) "\\_>")
        (goto-char (match-beginning 0)) nil (0 font-lock-builtin-face)))
      (,(concat "\\_<\\(" (regexp-opt kpol--outcomes) "\\)[ \t]*{") 1 font-lock-builtin-face)
      (,(concat "\\_<\\(include\\|within\\|from\\)[ \t]*\\(<[^>\n]*>\\)?") (1 font-lock-keyword-face)
       (2 font-lock-string-face nil t))
      (,(concat "\\_<\\(const\\)[ \t]+\\(" name "\\)[ \t]*=")
       (1 font-lock-keyword-face) (2 font-lock-variable-name-face))
      (,(concat "\\_<\\(syscall\\)[ \t]+\\(" name "\\)")
       (1 font-lock-keyword-face) (2 font-lock-function-name-face))
      (,(concat "^[ \t]*\\(" (regexp-opt '("default" "override" "arch" "assert" "waive" "listener" "when")) "\\)[ \t\n]")
       1 font-lock-keyword-face)
      ("\\_<override\\_>[ \t]+\\(default\\)\\_>" 1 font-lock-keyword-face)
      ("\\_<\\(because\\)[ \t]*\"" 1 font-lock-keyword-face)
      ("\\_<\\(group\\)[ \t]+@" 1 font-lock-keyword-face)
      ("\\_<\\(flags\\)[ \t]*{" 1 font-lock-keyword-face)
      ("\\_<\\(except\\)[ \t]*{" 1 font-lock-keyword-face)
      ("\\_<\\(not\\)[ \t]+[[:alpha:]]" 1 font-lock-keyword-face)
      ("[[:alnum:]_)][ \t]+\\(?:not[ \t]+\\)?\\(in\\)\\_>[ \t]*[{([:upper:]]" 1 font-lock-keyword-face)
      ("[[:alnum:])][ \t]+\\(on\\)\\_>[ \t]+[[:alpha:]]" 1 font-lock-keyword-face)
      ("\\_<\\(?:when\\|not\\|&&\\)[ \t]*\\(arch\\|cap\\|kernel\\)\\_>" 1 font-lock-keyword-face)
      ("&&[ \t]*\\(?:not[ \t]+\\)?\\(arch\\|cap\\|kernel\\)\\_>" 1 font-lock-keyword-face)
      ("\\_<[[:upper:]][[:upper:][:digit:]_]*\\_>" . font-lock-constant-face)
      (,(concat "\\(" name "\\)(") 1 font-lock-function-name-face)))
  "Colours without tree-sitter.")

(defun kpol--comment-face (state)
  "The face of the text or comment that STATE is in; `///' and `//!' document."
  (cond ((nth 3 state) 'font-lock-string-face)
        ((save-excursion
           (goto-char (nth 8 state))
           (looking-at "//\\(?:!\\|/\\(?:[^/]\\|$\\)\\)"))
         'font-lock-doc-face)
        (t 'font-lock-comment-face)))

(defun kpol--continues-p ()
  "Whether an operator at point goes on with the expression above."
  (and (looking-at "[|&^+<>=-]\\|!=\\|\\(?:not[ \t]+\\)?in\\_>")
       (save-excursion
         (forward-comment (- (point)))
         (not (or (bobp) (memq (char-before) '(?, ?{ ?\()))))))

(defun kpol-indent-line ()
  "Indent by the brackets that are open where the line begins."
  (interactive)
  (let* ((start (save-excursion (back-to-indentation) (point)))
         (depth (save-excursion
                  (goto-char start)
                  (let ((open (car (syntax-ppss))))
                    (cond ((looking-at "[})]") (1- open))
                          ((kpol--continues-p) (1+ open))
                          (t open)))))
         (column (* kpol-indent-offset (max 0 depth))))
    (unless (nth 8 (save-excursion (syntax-ppss start)))
      (if (<= (point) start)
          (indent-line-to column)
        (save-excursion (indent-line-to column))))))

(defun kpol--common ()
  "What both modes set."
  (setq-local comment-start "// "
              comment-end ""
              comment-start-skip "//+[/!]?[ \t]*"
              indent-tabs-mode nil
              electric-indent-chars (append "{}()" electric-indent-chars)
              imenu-generic-expression
              '(("Groups" "^[ \t]*group[ \t]+\\(@[[:alnum:]_-]+\\)" 1)
                ("Constants" "^[ \t]*const[ \t]+\\([[:alnum:]_]+\\)" 1)
                ("Syscalls" "^[ \t]*syscall[ \t]+\\([[:alnum:]_]+\\)" 1))))

;;;###autoload
(define-derived-mode kpol-mode prog-mode "kpol"
  "Major mode for policies of Linux syscall filters."
  (kpol--common)
  (setq-local font-lock-defaults '(kpol--font-lock nil nil nil
                                                   (font-lock-syntactic-face-function . kpol--comment-face))
              case-fold-search nil
              indent-line-function #'kpol-indent-line))

(defvar kpol-ts--indent-rules
  '((kpol
     ((node-is "}") parent-bol 0)
     ((node-is ")") parent-bol 0)
     ((parent-is "source_file") column-0 0)
     ((parent-is "^\\(binary\\|membership\\)$") parent-bol kpol-indent-offset)
     ((parent-is "^\\(patterns\\|conditions\\|block\\|claims\\|parameters\\|parenthesized\\|set\\|flags\\)$")
      parent-bol kpol-indent-offset)
     (no-node parent-bol 0)))
  "Indentation with tree-sitter.")

(defun kpol-ts--font-lock-rules ()
  "Colours with tree-sitter."
  (treesit-font-lock-rules
   :language 'kpol
   :feature 'comment
   '([(line_comment) (block_comment)] @font-lock-comment-face
     [(doc_comment) (file_comment)] @font-lock-doc-face)
   :language 'kpol
   :feature 'keyword
   '(["include" "within" "default" "override" "arch" "const" "group" "when" "assert" "waive" "syscall" "flags" "listener"
      "from" "because" "except" "not" "in" "on" "cap" "kernel"] @font-lock-keyword-face
      [(action_name) (outcome)] @font-lock-builtin-face)
   :language 'kpol
   :feature 'string
   '([(string) (path) (library_path)] @font-lock-string-face)
   :language 'kpol
   :feature 'definition
   '((const name: (identifier) @font-lock-variable-name-face)
     (syscall name: (call_name) @font-lock-function-name-face)
     (parameter_name) @font-lock-variable-name-face)
   :language 'kpol
   :feature 'function
   '((call name: (call_name) @font-lock-function-name-face))
   :language 'kpol
   :feature 'type
   '([(group_name) (architecture) (type_word)] @font-lock-type-face)
   :language 'kpol
   :feature 'constant
   '(((identifier) @font-lock-constant-face (:match "^[A-Z]" @font-lock-constant-face))
     [(capability) (flag)] @font-lock-constant-face)
   :language 'kpol
   :feature 'variable
   '(((identifier) @font-lock-variable-name-face (:match "^[a-z_]" @font-lock-variable-name-face)))
   :language 'kpol
   :feature 'number
   '([(number) (version)] @font-lock-constant-face)))

;;;###autoload
(define-derived-mode kpol-ts-mode prog-mode "kpol"
  "Major mode for policies of Linux syscall filters, with tree-sitter."
  :syntax-table kpol-mode-syntax-table
  (kpol--common)
  (when (and (fboundp 'treesit-ready-p) (treesit-ready-p 'kpol))
    (treesit-parser-create 'kpol)
    (setq-local treesit-font-lock-settings (kpol-ts--font-lock-rules)
                treesit-font-lock-feature-list
                '((comment definition) (keyword string) (function type constant number) (variable))
                treesit-simple-indent-rules kpol-ts--indent-rules
                treesit-defun-type-regexp "^\\(rule\\|group\\|when\\|assert\\|const\\|syscall\\)$")
    (treesit-major-mode-setup)))

;;;###autoload
(add-to-list 'auto-mode-alist
             (cons "\\.kpol\\'" (if (and (fboundp 'treesit-ready-p) (treesit-ready-p 'kpol t))
                                    'kpol-ts-mode
                                  'kpol-mode)))

(with-eval-after-load 'eglot
  (defvar eglot-server-programs)
  (add-to-list 'eglot-server-programs '((kpol-mode kpol-ts-mode) . ("kpol-lsp"))))

(provide 'kpol-mode)
;;; kpol-mode.el ends here
