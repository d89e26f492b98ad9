#!/bin/sh
# Installs the latest release of Chinwag, or the one of CHINWAG_VERSION (such as v0.2.0), into
# CHINWAG_INSTALL_DIR: /usr/local/bin if that can be written to, else ~/.local/bin.
set -eu

# The page of the releases; the release workflow writes it here.
releases="${CHINWAG_RELEASES:-@RELEASES@}"

fail() {
  echo "install.sh: $*" >&2
  exit 1
}

case "$releases" in
  @*) fail "this copy is of no release: set CHINWAG_RELEASES to the URL of the releases" ;;
esac
for program in curl tar sha256sum; do
  command -v "$program" >/dev/null || fail "$program is needed, and is not installed"
done

case "$(uname -s) $(uname -m)" in
  "Linux x86_64") target=x86_64-unknown-linux-musl ;;
  "Linux aarch64") target=aarch64-unknown-linux-musl ;;
  *) fail "there is no binary for $(uname -s) on $(uname -m): build it with cargo, as README.md says" ;;
esac

case "${CHINWAG_VERSION:-}" in
  "") from="$releases/latest/download" ;;
  v*) from="$releases/download/$CHINWAG_VERSION" ;;
  *) fail "CHINWAG_VERSION must begin with v, as v0.2.0 does" ;;
esac

directory="${CHINWAG_INSTALL_DIR:-}"
if [ -z "$directory" ]; then
  if [ -w /usr/local/bin ]; then directory=/usr/local/bin; else directory="$HOME/.local/bin"; fi
fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
archive="chinwag-$target.tar.gz"
for file in "$archive" SHA256SUMS; do
  curl -fsSL --retry 3 -o "$work/$file" "$from/$file" || fail "$from/$file cannot be fetched"
done
cd "$work"
grep " $archive\$" SHA256SUMS >expected || fail "SHA256SUMS does not name $archive"
sha256sum -c expected >/dev/null || fail "$archive is not what SHA256SUMS says: nothing is installed"
tar -xzf "$archive" chinwag
mkdir -p "$directory"
# A binary that runs cannot be overwritten, but replaced.
mv chinwag "$directory/chinwag.new"
chmod 755 "$directory/chinwag.new"
mv "$directory/chinwag.new" "$directory/chinwag"
echo "installed $("$directory/chinwag" --version) as $directory/chinwag"
case ":$PATH:" in
  *":$directory:"*) ;;
  *) echo "$directory is not in PATH: run $directory/chinwag, or add it" ;;
esac
