# What each line becomes at TAB, in an interactive zsh that has the completions of a folder: `zsh -f complete.zsh FOLDER LINE…`.
# The shell at the other end of the terminal says when it is there, and what it made of a line: nothing is timed.
zmodload zsh/zpty || exit
folder=$1
shift
zpty shell zsh -f -i

ask() { # what the answer looks like, keys
    local answer
    zpty -w -n shell $2
    zpty -r -m shell answer $1 && REPLY=$answer
}

ask '*<ready>*' "PS1= PS2= RPS1=
fpath=(${(q)folder} \$fpath)
autoload -Uz compinit && compinit -D -u
show() { print -r -- '<''line:'\$BUFFER'>'; BUFFER= }
zle -N show
bindkey '^X' show
bindkey '^I' expand-or-complete
print '<''ready>'
"
for line; do
    ask '*<line:*>*' $line$'\t\x18'
    print -r -- ${${REPLY##*<line:}%%>*}
done
