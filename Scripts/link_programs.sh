#!/bin/sh
# Links all programs into one file for the image of all: link_programs.sh FILE, after release.sh built each of them. What
# they share, which is nearly all, is in it once; link_programs.c says how it knows which one to be.
#
# The package manager can't make it: it links the module of one program only into a product. So this takes the object
# files that it lists for each, and links them as it does.
set -eu
cd "$(dirname "$0")/.."
name=link_programs
. Scripts/lib.sh

[ $# = 1 ] || fail "say which file to write"
release=.build/release
work=$release/shippy-programs.product
mkdir -p "$work"
: >"$work/all"
for program in vessel-service user-service consignment-service email-service api-gateway; do
    objects=$release/shippy-$program.product/Objects.LinkFileList
    [ -e "$objects" ] || fail "there is no $objects; first Scripts/release.sh shippy-$program"
    # The compiler names the function around an asynchronous `main` alike in all modules, as none but one is in a program
    # otherwise, and the linker would keep the first one's: each gets the name of its program.
    # shellcheck disable=SC2046 # paths are words
    main=$(grep -l 'async_MainTf' $(grep '/[A-Za-z]*\(Service\|Gateway\)\.build/' "$objects")) || main=
    [ "$(echo "$main" | wc -w)" = 1 ] || fail "not one of the objects of shippy-$program has its main: $main"
    own=$work/$program.main.o
    nm "$main" | awk -v own="_$program" '/async_MainTf/ { print $NF, $NF own }' >"$own.names"
    objcopy --redefine-syms="$own.names" "$main" "$own"
    grep -vxF "$main" "$objects" >>"$work/all"
    # The list need not end with the end of a line.
    printf '\n%s\n' "$own" >>"$work/all"
done
sort -u "$work/all" | sed '/^$/d' >"$work/Objects.LinkFileList"
clang -O2 -g -Wall -Wextra -Werror -c -o "$work/main.o" Scripts/link_programs.c
# The flags of release.sh, and those that the package manager adds: unused code goes, and what Package.swift names comes.
swiftc -emit-executable -module-name shippy_programs -static-stdlib -use-ld=lld -g -o "$1" \
    "$work/main.o" "@$work/Objects.LinkFileList" \
    -Xlinker --gc-sections -Xlinker -z -Xlinker pack-relative-relocs \
    -lnghttp2 -lmongoc-1.0 -lbson-1.0 -lpq -lsqlite3 -lcurl -lcrypt -lcrypto -lstdc++

for program in vessel-service user-service consignment-service email-service api-gateway; do
    ln -sf "$(realpath "$1")" "$work/shippy-$program"
    "$work/shippy-$program" --help >"$work/help"
    "$release/shippy-$program" --help | cmp -s - "$work/help" || fail "the file is not shippy-$program when it is called so"
done
