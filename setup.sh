#!/bin/sh
# Sets portAllocator up on Debian 12 and shows that it works.
#
#   sh setup.sh demo  ?--no-install?   build, start a private manager, run the manual's examples
#   sh setup.sh check ?--no-install?   build, run all tests
#
# Missing Debian packages are installed with apt-get; with --no-install they are
# named and nothing is done.
set -eu
cd "$(dirname "$0")"

build_packages="gcc libc6-dev make autoconf libuv1-dev libjson-c-dev tcl tcl-dev critcl tcllib"
check_packages="clang libclang-rt-14-dev clang-format clang-tidy cppcheck shellcheck git
    libcmocka-dev valgrind gcc-multilib procps iproute2 tk tcl-thread xvfb xauth python3 python3-portpicker jq man-db
    nodejs systemd libtirpc3 libwrap0"
# Daemons that the tests run: installed, these would run at the next boot.
unpacked_packages="rpcbind"

usage() {
    echo "usage: sh setup.sh demo|check ?--no-install?" >&2
    exit 100
}

is_installed() {
    dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

# Installs what is missing of the packages named.
need() {
    missing=
    for package in "$@"; do
        is_installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    if [ "$install" = no ]; then
        echo "setup.sh: these Debian packages are missing:$missing" >&2
        exit 1
    fi
    root=
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "setup.sh: root must install these packages first:$missing" >&2
            exit 1
        fi
        root=sudo
    fi
    echo "Installing:$missing"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 # words
    {
        $root apt-get update -qq
        $root apt-get install -y -qq --no-install-recommends $missing >/dev/null
    }
}

# Unpacks packages below build/unpacked.
unpack() {
    for package in "$@"; do
        [ ! -e "build/unpacked/$package" ] || continue
        if [ "$install" = no ]; then
            echo "setup.sh: this Debian package is to be unpacked in build/unpacked/$package: $package" >&2
            exit 1
        fi
        rm -rf build/unpacked/new
        mkdir -p build/unpacked/new
        (
            cd build/unpacked/new
            apt-get download -qq -o APT::Sandbox::User=root "$package"
            dpkg-deb -x "$package"_*.deb .
        )
        mv build/unpacked/new "build/unpacked/$package"
    done
}

# is_newer A B: A is there, and B has not changed since.
is_newer() {
    [ -e "$1" ] && [ -z "$(find "$2" -newer "$1")" ]
}

# Builds in a folder of its own, so that the sources stay as they are.
build() {
    is_newer configure configure.ac || ./autogen.sh
    mkdir -p build
    (
        cd build
        is_newer Makefile ../configure || ../configure -q --enable-werror
        make -s -j"$(nproc)" all
    )
}

demo() {
    # shellcheck disable=SC2086 # words
    need $build_packages
    build
    exec sh doc/examples/demo.sh "$PWD/build"
}

check() {
    # shellcheck disable=SC2086 # words
    need $build_packages $check_packages
    # shellcheck disable=SC2086 # words
    unpack $unpacked_packages
    build
    make -s -j"$(nproc)" -C build test-programs
    exec make -s -C build check
}

install=yes
case "${2-}" in
--no-install) install=no ;;
"") ;;
*) usage ;;
esac
[ "$#" -le 2 ] || usage
case "${1-}" in
demo) demo ;;
check) check ;;
*) usage ;;
esac
