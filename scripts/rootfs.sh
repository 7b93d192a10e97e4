#!/usr/bin/env bash
# The image's file system: rootfs.sh NODE_BINARY TARGET. One binary with the libraries it is linked to, the bundle, a
# user, certificates. No shell, no package manager. Needs dist/ (npm run build).
set -euo pipefail
node=$(readlink -f "$1")
target=$2
root=$(cd "$(dirname "$0")/.." && pwd)
uid=10153

[ -f "$root/dist/fairlead.js" ] || { echo "rootfs: dist/fairlead.js is missing, run: npm run build" >&2; exit 78; }
mkdir -p "$target"/{etc/ssl/certs,etc/fairlead,usr/local/bin,opt/fairlead/bin,opt/fairlead/config,var/lib/fairlead,tmp,proc,dev}
install -m 0755 "$node" "$target/usr/local/bin/node"

# The dynamic linker and every library, at the paths where the binary looks for them.
ldd "$node" | grep -oE '/[^ ]+' | sort -u | while read -r library; do
  mkdir -p "$target$(dirname "$library")"
  cp -L "$library" "$target$library"
done
# Loaded by name at run time, so ldd does not list them: host names from files and DNS.
for name in libnss_files.so.2 libnss_dns.so.2 libresolv.so.2; do
  # Read to the end: whoever stops early breaks the pipe of a ldconfig that still writes.
  library=$(ldconfig -p | awk -v n="$name" '$1 == n && /x86-64|AArch64|aarch64/ && !found++ {print $NF}')
  if [ -n "$library" ]; then mkdir -p "$target$(dirname "$library")" && cp -L "$library" "$target$library"; fi
done

cp -R "$root/dist" "$target/opt/fairlead/dist"
cp "$root/bin/fairlead.js" "$target/opt/fairlead/bin/"
cp "$root/package.json" "$root/LICENSE" "$target/opt/fairlead/"
cp "$root"/config/*.yaml "$target/opt/fairlead/config/"
[ ! -f "$root/config/fairlead.schema.json" ] || cp "$root/config/fairlead.schema.json" "$target/opt/fairlead/config/"
printf '#!/usr/local/bin/node\nimport("/opt/fairlead/bin/fairlead.js");\n' >"$target/usr/local/bin/fairlead"
chmod 0755 "$target/usr/local/bin/fairlead"
[ ! -f /etc/ssl/certs/ca-certificates.crt ] || cp -L /etc/ssl/certs/ca-certificates.crt "$target/etc/ssl/certs/"

printf 'root:x:0:0:root:/:/sbin/nologin\nfairlead:x:%s:%s:fairlead:/var/lib/fairlead:/sbin/nologin\n' $uid $uid >"$target/etc/passwd"
printf 'root:x:0:\nfairlead:x:%s:\n' $uid >"$target/etc/group"
printf 'hosts: files dns\n' >"$target/etc/nsswitch.conf"
chmod 1777 "$target/tmp"
chown "$uid:$uid" "$target/var/lib/fairlead"
