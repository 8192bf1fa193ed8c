#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A helper for factord's [Prompt] Helper= that asks with rofi. Its first, selected line is "Not now",
# so that an Enter meant for another window approves nothing.
set -u

# rofi takes the message for markup.
text=$(printf '%s\n' "$1" | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g')

if [ "${SSH_ASKPASS_PROMPT-}" = confirm ]; then
        answer=$(printf 'Not now\nApprove\n' |
                rofi -dmenu -no-custom -no-auto-select -selected-row 0 -l 2 -p factord -mesg "$text") ||
                exit 1
        [ "$answer" = Approve ]
        exit
fi

exec rofi -dmenu -l 0 -p 'Value' -mesg "$text" </dev/null
