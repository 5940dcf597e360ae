#!/bin/sh
# clang-format, clang-tidy, cppcheck and shellcheck over the sources.
# Usage: sh lint.sh SOURCE-FOLDER COMPILER-FLAG...
set -u
cd "$1" || exit 1
shift
status=0

ours=$(git ls-files '*.c' '*.h')
programs=$(git ls-files 'generic/*.c' 'unix/*.c' 'daemon/*.c' 'ports/*.c' 'tools/*.c')

echo "clang-format"
# shellcheck disable=SC2086 # the list is one of words
clang-format --dry-run -Werror $ours || status=1

echo "clang-tidy"
# shellcheck disable=SC2086
printf '%s\n' $programs | xargs -P "$(nproc)" -I '{}' clang-tidy --quiet '{}' -- -std=c11 -mcx16 \
    -D_GNU_SOURCE '-DPACKAGE_NAME="x"' '-DPACKAGE_VERSION="1"' -Igeneric -Iunix -Idaemon -Iports \
    "$@" 2>/dev/null || status=1

echo "cppcheck"
# shellcheck disable=SC2086
cppcheck --quiet -j "$(nproc)" --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
    --inline-suppr --suppress=missingIncludeSystem -D_GNU_SOURCE \
    -D__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16=1 -Igeneric -Iunix -Idaemon -Iports $programs || status=1

echo "shellcheck"
# shellcheck disable=SC2046
shellcheck $(git ls-files '*.sh' '*.bash') .ci/run || status=1

exit $status
