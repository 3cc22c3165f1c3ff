#!/bin/sh
# Makes the folder that becomes an image: rootfs.sh FOLDER [--on FOLDER]... FILE... copies the shared libraries that the
# programs FILE... need, but for those that the folders after --on have already, which lie beneath in the image. What is
# known about their Debian packages is copied too: licences, and where scanners look for versions in an image without dpkg.
#
# Runs on Debian. Libraries that are loaded by name at run time are not found this way; there are none (glibc's own name
# services are built in since 2.34).
set -eu
root=$1
shift
beneath=
while [ "${1:-}" = --on ]; do
    beneath="$beneath $2"
    shift 2
done

is_beneath() {
    for folder in $beneath; do
        if [ -e "$folder$1" ]; then return 0; fi
    done
    return 1
}

copy() {
    mkdir -p "$root$(dirname "$1")"
    cp -a "$1" "$root$1"
}

# What dpkg knows of a file, by the name it was installed by: /lib is a link to /usr/lib.
package_of() {
    dpkg-query --search "$1" "${1#/usr}" 2>/dev/null | sed -n '1s/:.*//p'
}

copy_package() { # name
    status=$root/var/lib/dpkg/status.d/$1
    if [ -e "$status" ]; then return 0; fi
    mkdir -p "$(dirname "$status")"
    dpkg-query --status "$1" >"$status"
    # A base image may be without.
    if [ -e "/usr/share/doc/$1/copyright" ]; then copy "/usr/share/doc/$1/copyright"; fi
}

for program in "$@"; do
    ldd "$program" >/tmp/libraries
    if grep 'not found' /tmp/libraries >&2; then
        echo "rootfs: $program needs libraries that no package here has" >&2
        exit 1
    fi
    sed -n 's|.*=> \(/[^ ]*\) .*|\1|p; s|^[[:space:]]*\(/[^ ]*\) .*|\1|p' /tmp/libraries | while read -r library; do
        name=$(readlink -f "$(dirname "$library")")/$(basename "$library")
        file=$(readlink -f "$library")
        if is_beneath "$name" || [ -e "$root$name" ]; then continue; fi
        copy "$file"
        # The name that programs know, a link to the file.
        if [ "$name" != "$file" ]; then copy "$name"; fi
        package=$(package_of "$file")
        [ -n "$package" ] || { echo "rootfs: $file is of no package" >&2; exit 1; }
        copy_package "$package"
    done
done
rm -f /tmp/libraries

# What every image has, beside the libraries of its first folder.
if [ -z "$beneath" ]; then
    for link in lib lib64; do
        if [ -L "/$link" ]; then cp -a "/$link" "$root/"; fi
    done
    # Certificates of authorities, and how OpenSSL is set up.
    for path in /etc/ssl/certs /etc/ssl/openssl.cnf /usr/lib/ssl /usr/share/ca-certificates \
        /etc/os-release /usr/lib/os-release /etc/debian_version; do
        copy "$path"
    done
    for package in ca-certificates openssl base-files; do copy_package "$package"; done
    printf 'root:x:0:0::/:/\nshippy:x:10001:10001::/app:/\n' >"$root/etc/passwd"
    printf 'root:x:0:\nshippy:x:10001:\n' >"$root/etc/group"
    printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$root/etc/nsswitch.conf"
    mkdir -p "$root/app"
    mkdir -m 1777 "$root/tmp"
fi
