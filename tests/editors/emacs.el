;;; What a user does in Emacs, in one go: `emacs --batch -l init.el -l emacs.el web.kpol' -*- lexical-binding: t; -*-
;; What was seen is written as JSON to $KPOL_SEEN.

(require 'eglot)
(require 'flymake)
(require 'json)

(defvar seen nil)
(defun saw (name value) (push (cons name value) seen))

(defmacro await (what condition)
  `(let ((value nil) (end (+ (float-time) 60)))
     (while (not (setq value ,condition))
       (when (> (float-time) end) (error "Waited in vain for %s" ,what))
       (accept-process-output nil 0.02))
     value))

(defun at (text)
  (goto-char (point-min))
  (let ((case-fold-search nil)) (search-forward text))
  (goto-char (match-beginning 0)))

(defun face (text)
  (at text)
  (font-lock-ensure)
  (format "%s" (get-text-property (point) 'face)))

(defun findings ()
  ;; Without windows nobody else starts the check.
  (flymake-start)
  (flymake-diagnostics))

(defun buffer () (buffer-substring-no-properties (point-min) (point-max)))

(defun run ()
  (find-file "web.kpol")
  (saw 'mode (symbol-name major-mode))
  (saw 'faces (vconcat (mapcar #'face '("default" "deny" "EPERM" "\"lib" "@default" "socket" "family" "AF_UNIX"))))
  (apply #'eglot (eglot--guess-contact))
  (saw 'root (file-name-nondirectory (directory-file-name (project-root (eglot--project (eglot-current-server))))))
  (saw 'diagnostics
       (vconcat (mapcar (lambda (found) `((message . ,(flymake-diagnostic-text found))
                                          (text . ,(buffer-substring-no-properties
                                                    (flymake-diagnostic-beg found) (flymake-diagnostic-end found)))))
                        (await "findings" (findings)))))

  (let ((log (compile "kpolc check --format concise web.kpol")))
    (await "the compiler" (not (get-buffer-process log)))
    (next-error)
    (saw 'compiled (format "%s:%d:%s" (buffer-name) (line-number-at-pos) (thing-at-point 'word t)))
    (switch-to-buffer (find-file-noselect "web.kpol")))

  (at "socket")
  (let ((hover nil))
    (eglot-hover-eldoc-function (lambda (text &rest _) (setq hover text)))
    (saw 'hover (substring-no-properties (await "the hover" hover))))

  ;; Typed, not saved: the server sees it.
  (at "family == AF_UNIX")
  (delete-char 6)
  (insert "fam")
  (let ((found (eglot-completion-at-point)))
    (saw 'completion (vconcat (mapcar (lambda (name) (string-trim (substring-no-properties name)))
                                      (all-completions "fam" (nth 2 found))))))
  (insert "ily")

  (at "lisen")
  (await "the finding" (findings))
  (let ((fix (seq-find (lambda (action) (plist-get action :isPreferred))
                       (eglot-code-actions (point) (+ 5 (point)) "quickfix" nil))))
    (eglot-execute (eglot-current-server) fix))
  (saw 'fixed (buffer))

  (at "@worker")
  (eglot-rename "@helper")
  (saw 'renamed (buffer))

  (eglot-format-buffer)
  (saw 'formatted (buffer))
  ;; Eglot tells of changes in other buffers when nobody types for a while, or when they are saved.
  (save-some-buffers t)

  ;; As the page has it.
  (add-hook 'before-save-hook #'eglot-format-buffer nil t)
  (at "default ")
  (insert "default  ")
  (delete-char 8)
  (save-buffer)
  (at "default")
  (saw 'written (buffer-substring-no-properties (line-beginning-position) (line-end-position)))

  (at "@helper")
  (saw 'uses (vconcat (sort (mapcar (lambda (item)
                                      (let ((place (xref-item-location item)))
                                        (format "%s:%d" (file-name-nondirectory (xref-location-group place))
                                                (xref-location-line place))))
                                    (xref-backend-references 'eglot (xref-backend-identifier-at-point 'eglot)))
                            #'string<)))
  (xref-find-definitions (xref-backend-identifier-at-point 'eglot))
  (unless (equal (file-name-nondirectory buffer-file-name) "lib.kpol") (error "In %s" buffer-file-name))
  (saw 'definition (buffer-substring-no-properties (line-beginning-position) (line-end-position)))
  (saw 'outline (vconcat (mapcar #'car (funcall imenu-create-index-function))))

  (goto-char (point-max))
  (let ((start (point)))
    (insert "allow {\nread\n}")
    (indent-region start (point-max))
    (saw 'indent (vconcat (split-string (buffer-substring-no-properties start (point-max)) "\n")))))

(setq eglot-confirm-server-edits nil
      eglot-sync-connect t
      make-backup-files nil)
(condition-case trouble (run) (error (saw 'trouble (format "%S" trouble))))
(with-temp-file (getenv "KPOL_SEEN") (insert (json-encode seen)))
(kill-emacs)
