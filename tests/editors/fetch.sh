#!/usr/bin/env bash
# Newer editors than Debian 12 has, from the packages of Debian 13 and of unstable, unpacked in a folder of their own:
# nothing of the machine changes. They are started by the scripts in FOLDER/bin.
#
#     tests/editors/fetch.sh FOLDER
#
#     debian13: nvim-0.10, hx, emacs          unstable: nvim
#
# Their own loader and libraries are set in the binaries, since the machine's C library may be older.
set -euo pipefail

say() { printf 'editors: %s\n' "$*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }

mkdir -p "$1"
folder=$(cd "$1" && pwd)
keys=/usr/share/keyrings/debian-archive-keyring.gpg

for tool in apt-get dpkg-deb patchelf; do
    has "$tool" || { say "no $tool: left out"; exit 0; }
done
[ -e "$keys" ] || { say "no $keys: left out"; exit 0; }

# The mirror is the one that this machine has its own packages from.
own() { apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1; }
mirror=$(own)
if [ -z "$mirror" ]; then
    apt-get update -qq </dev/null >/dev/null 2>&1 || true
    mirror=$(own)
fi
[ -n "$mirror" ] || { say "apt has no mirror of Debian: left out"; exit 0; }

fetch() { # suite, packages…
    local suite=$1 root=$folder/$1 state=$folder/$1.apt
    shift
    [ -e "$root/.whole" ] && return
    rm -rf "$root" "$state"
    mkdir -p "$root" "$state/lists/partial" "$state/archives/partial"
    : >"$state/status"
    echo "deb [signed-by=$keys] $mirror $suite main" >"$state/sources.list"
    cat >"$state/apt.conf" <<END
Dir::State "$state";
Dir::State::lists "$state/lists";
Dir::State::status "$state/status";
Dir::Cache "$state";
Dir::Cache::archives "$state/archives";
Dir::Etc::sourcelist "$state/sources.list";
Dir::Etc::sourceparts "/dev/null";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
END
    if ! { APT_CONFIG=$state/apt.conf apt-get update -qq &&
        APT_CONFIG=$state/apt.conf apt-get install -y -qq --download-only "$@"; } </dev/null >"$state/log" 2>&1; then
        say "no $* of $suite (see $state/log)"
        return 0
    fi
    local package
    for package in "$state"/archives/*.deb; do
        # Compilers come along for what the editors compile themselves; nothing is compiled here.
        case ${package##*/} in
        binutils* | gcc-* | libgcc-*-dev* | libasan* | cpp-* | liblsan* | libtsan* | libubsan* | libhwasan*) continue ;;
        esac
        dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --keep-directory-symlink \
            --exclude='./usr/share/doc' --exclude='./usr/share/man' --exclude='./usr/share/locale'
    done
    touch "$root/.whole"
    rm -rf "$state"
    say "$* of $suite are in $root"
}

# A program that runs with the loader and the libraries beside it.
settle() { # suite, program
    local root=$folder/$1 program
    program=$(readlink -m "$root$2")
    [ -e "$program" ] || { [ -L "$root$2" ] && program=$root/$(readlink "$root$2"); }
    [ -e "$program" ] || return 1
    # Once only: a binary that is patched again and again grows.
    [ -e "$program.settled" ] && return
    local libraries=$root/usr/lib/$(uname -m)-linux-gnu
    patchelf --set-interpreter "$(echo "$libraries"/ld-linux-*.so.*)" --force-rpath \
        --set-rpath "$libraries:$libraries/nvim" "$program"
    touch "$program.settled"
}

start() { # name, text of the script
    mkdir -p "$folder/bin"
    printf '#!/bin/sh\n%s\n' "$2" >"$folder/bin/$1"
    chmod +x "$folder/bin/$1"
}

fetch trixie neovim hx emacs-nox
fetch sid neovim

stable=$folder/trixie
if settle sid /usr/bin/nvim; then
    start nvim "VIMRUNTIME='$folder/sid/usr/share/nvim/runtime' exec '$folder/sid/usr/bin/nvim' \"\$@\""
fi
if settle trixie /usr/bin/nvim; then
    start nvim-0.10 "VIMRUNTIME='$stable/usr/share/nvim/runtime' exec '$stable/usr/bin/nvim' \"\$@\""
fi
if settle trixie /usr/lib/hx/hx; then
    start hx "HELIX_RUNTIME='$stable/usr/lib/hx/runtime' exec '$stable/usr/lib/hx/hx' \"\$@\""
fi
if settle trixie /usr/bin/emacs-nox; then
    version=$(basename "$(echo "$stable"/usr/libexec/emacs/*)")
    helpers=$(echo "$stable/usr/libexec/emacs/$version"/*)
    lisp=$stable/usr/share/emacs/$version/lisp
    start emacs "EMACSLOADPATH=\$(find '$lisp' -type d ! -name obsolete | paste -sd: -) EMACSPATH='$helpers' \\
EMACSDATA='$stable/usr/share/emacs/$version/etc' EMACSDOC='$stable/usr/share/emacs/$version/etc' \\
exec '$stable/usr/bin/emacs-nox' --dump-file='$(echo "$helpers"/*.pdmp)' \"\$@\""
fi
