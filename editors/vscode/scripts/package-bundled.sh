#!/usr/bin/env bash
# Packs the extension with the server and the compiler of this machine's platform inside: kpol-linux-x64.vsix.
#
#     npm run package:bundled
#
# KPOL_PROGRAMS is the folder that has them; without it they are built.
set -euo pipefail
cd "$(dirname "$0")/.."

case $(uname -m) in
    x86_64) target=linux-x64 ;;
    aarch64) target=linux-arm64 ;;
    armv7l) target=linux-armhf ;;
    *) echo "package-bundled: VS Code has no name for $(uname -m)" >&2; exit 1 ;;
esac
programs=${KPOL_PROGRAMS:-}
if [ -z "$programs" ]; then
    cargo build --release --locked -p kpol-compiler -p kpol-lsp
    programs=${CARGO_TARGET_DIR:-../../target}/release
fi
trap 'rm -rf bin' EXIT
mkdir -p bin
install -m 755 "$programs/kpolc" "$programs/kpol-lsp" bin/
npx vsce package --no-dependencies --allow-missing-repository --target "$target" --out "kpol-$target.vsix"
