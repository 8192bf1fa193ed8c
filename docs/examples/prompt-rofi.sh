#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A helper for factord's [Prompt] Helper= that asks with rofi. The word has to be typed: rofi selects
# what begins to be typed, so that of two lines to choose from "p" and an Enter, meant for another
# window, would choose one.
set -u

# rofi takes the message for markup.
text=$(printf '%s\n' "$1" | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g')

if [ "${SSH_ASKPASS_PROMPT-}" = confirm ]; then
        answer=$(rofi -dmenu -l 0 -p 'Type approve' -mesg "$text" </dev/null) || exit 1
        [ "$answer" = approve ]
        exit
fi

exec rofi -dmenu -l 0 -p 'Value' -mesg "$text" </dev/null
