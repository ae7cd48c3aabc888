#!/bin/sh
# Puts together the image's root file system: the binary, the shared libraries it needs and what they need, and their
# licences. Runs in the Dockerfile's `gather` stage; names no architecture.
# Usage: gather.sh <binary> <new root>    (and /owned: what shall belong to the user)
set -eu
binary=$1 root=$2

mkdir -p "$root/etc/ssl/certs" "$root/usr/bin" "$root/usr/lib" "$root/usr/local/bin" "$root/var/lib/dpkg/status.d" /owned/spool
# Merged /usr: /lib and, where the loader's path asks for it, /lib64 are links.
for link in /lib /lib64; do
  [ ! -L "$link" ] || { cp -a "$link" "$root$link"; mkdir -p "$root/$(readlink "$link")"; }
done

cat >"$root/etc/passwd" <<'EOF'
root:x:0:0:root:/:/nonexistent
transcoder:x:10001:10001:transcoder:/spool:/nonexistent
EOF
cat >"$root/etc/group" <<'EOF'
root:x:0:
transcoder:x:10001:
EOF
# Names are resolved by libc itself (glibc has `files` and `dns` built in), /etc/hosts first.
cat >"$root/etc/nsswitch.conf" <<'EOF'
passwd: files
group: files
hosts: files dns
EOF
cp /usr/lib/os-release "$root/etc/os-release"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
install -m 755 "$binary" "$root/usr/local/bin/transcoder"
install -m 755 /usr/bin/tini "$root/usr/bin/tini"

# All are named as needed by the binary or by each other, so the loader maps every one at start: none can be left out.
needed=$(for program in "$binary" /usr/bin/tini; do ldd "$program"; done)
if echo "$needed" | grep 'not found' >&2; then exit 1; fi
files=$(echo "$needed" | grep -o '/[^ ]*' | grep -v ':$' | sort -u)
for file in $files; do
  # The loader looks for the name that was asked for (a link) in the folder where it found it.
  folder=$(realpath "$(dirname "$file")")
  install -D -m 644 "$(realpath "$file")" "$root$folder/$(basename "$file")"
done
# Programs' interpreter is run by the kernel; everything else is only mapped.
chmod 755 "$root$(realpath /lib)"/*/ld-linux* "$root$(realpath /lib)"/ld-linux* "$root"/lib64/ld-linux* 2>/dev/null || true

# Which package a file is of: dpkg knows files by the name they were installed under, before or after merging /usr.
package_of() {
  real=$(realpath "$1")
  dpkg-query --search "$real" "${real#/usr}" 2>/dev/null | head -n 1 | cut -d: -f1
}
packages=$(for file in $files /usr/bin/tini /etc/ssl/certs/ca-certificates.crt; do package_of "$file"; done | sort -u)
for package in $packages ca-certificates base-files; do
  # Scanners read installed packages here, as in other images without a package manager.
  dpkg-query --status "$package" >"$root/var/lib/dpkg/status.d/$package"
  install -D -m 644 "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/copyright"
done
# The copyright files name these by path.
mkdir -p "$root/usr/share/common-licenses"
cp -aL /usr/share/common-licenses/. "$root/usr/share/common-licenses/"

for file in $files; do
  [ -n "$(package_of "$file")" ] || { echo "gather: no package, so no licence, for $file" >&2; exit 1; }
done
