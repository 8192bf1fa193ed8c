#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: embed.sh FILE NAME -- prints a C source in which FILE is the text const char NAME[].
#
# Characters one by one: the standard does not promise string literals of more than 4095.
set -eu
printf '/* SPDX-License-Identifier: Apache-2.0 */\n'
printf '/* Made of %s by embed.sh. */\n\n' "$(basename "$1")"
printf 'extern const char %s[];\nconst char %s[] = {\n' "$2" "$2"
od -An -v -to1 "$1" | sed "s/ \([0-7]*\)/'\\\\\1',/g"
printf '0};\n'
