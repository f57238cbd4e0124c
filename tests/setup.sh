#!/usr/bin/env bash
# Installs what the whole-system tests meet: container runtimes, libseccomp, strace, Go, an emulator, an arm64 kernel, Graphviz,
# a browser and what drives it, VS Code and other editors.
#
#     sudo tests/setup.sh
#
# For Debian and its children, as root. Anything that can't be had is named, and the tests that need it are skipped:
# a failure here is never an error. What is there already is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }
has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }

cache=${CARGO_TARGET_DIR:-target}/kpol-tests
kernel=$cache/arm64-vmlinuz

missing=()
want() { # command, package
    has "$1" || missing+=("$2")
}
want crun crun
want runc runc
want podman podman
want busybox busybox-static
want qemu-system-aarch64 qemu-system-arm
want unshare util-linux
want cc gcc
want c++ g++
[ -e /usr/include/stdlib.h ] || missing+=(libc6-dev)
want strace strace
want go golang-go
want dot graphviz
want chromium chromium
want node nodejs
want npm npm
want vim vim
[ -d /usr/share/vim-ale ] || missing+=(vim-ale)
want tmux tmux
want patchelf patchelf
if [ "$(uname -m)" != aarch64 ]; then
    want aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
    [ -e /usr/aarch64-linux-gnu/lib/libc.a ] || missing+=(libc6-dev-arm64-cross)
fi
want arm-linux-gnueabi-gcc gcc-arm-linux-gnueabi
[ -e /usr/arm-linux-gnueabi/lib/libc.a ] || missing+=(libc6-dev-armel-cross)
[ -e /usr/include/seccomp.h ] || missing+=(libseccomp-dev)

# playwright-core drives a browser that is installed; it brings none of its own.
browser=$cache/browser
drive_browser() {
    [ -d "$browser/node_modules/playwright-core" ] && return
    mkdir -p "$browser"
    if ! has npm || ! npm install --prefix "$browser" --no-save --no-audit --no-fund --ignore-scripts \
        playwright-core@1 </dev/null >/dev/null 2>&1; then
        say "no playwright-core: the pages are not opened in a browser"
    fi
}

# Debian 12 has no Helix, and Neovim and Emacs from before they had what is tried here.
newer_editors() {
    tests/editors/fetch.sh "$cache/editors" || say "the newer editors were not fetched"
}

# VS Code, and what its extension is checked by.
vscode() {
    editors/vscode/scripts/setup || say "the extension for VS Code is not tried in one"
}

if [ ${#missing[@]} -eq 0 ] && [ -s "$kernel" ]; then
    drive_browser
    newer_editors
    vscode
    say "everything is there"
    exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! has apt-get; then
    say "not root, or no apt-get: left out are ${missing[*]:-} $([ -s "$kernel" ] || echo 'the arm64 kernel')"
    exit 0
fi

export DEBIAN_FRONTEND=noninteractive
# arm64 is made known to these calls alone: the machine's own list of architectures stays as it is.
own=$(dpkg --print-architecture)
apt=(-o APT::Sandbox::User=root -o APT::Architectures::="$own" -o APT::Architectures::=arm64)

apt-get "${apt[@]}" update -qq </dev/null || say "apt-get update had trouble"
if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]}"
    if ! apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null; then
        # One package that can't be had must not keep the others out.
        for package in "${missing[@]}"; do
            apt-get install -y -qq --no-install-recommends "$package" </dev/null >/dev/null || say "no $package"
        done
    fi
fi

# The kernel is unpacked, not installed. The package that linux-image-arm64 stands for has the image in it.
if [ ! -s "$kernel" ]; then
    mkdir -p "$cache"
    folder=$(mktemp -d "$cache/kernel.XXXXXX")
    trap 'rm -rf "$folder"' EXIT
    package=$(apt-cache "${apt[@]}" depends linux-image-arm64:arm64 2>/dev/null |
        awk '/Depends: linux-image-/ { print $2; exit }' || true)
    if [ -n "$package" ] && (cd "$folder" && apt-get "${apt[@]}" download -qq "$package" </dev/null) &&
        dpkg-deb --fsys-tarfile "$folder"/*.deb | tar -x -C "$folder" --wildcards './boot/vmlinuz-*'; then
        mv "$folder"/boot/vmlinuz-* "$kernel"
        say "$package is in $kernel"
    else
        say "no arm64 kernel"
    fi
fi

drive_browser
newer_editors
vscode
