#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A helper for factord's [Prompt] Helper= that asks with zenity. Its window starts on "Not now", so
# that an Enter meant for another window approves nothing.
set -u

if [ "${SSH_ASKPASS_PROMPT-}" = confirm ]; then
        # Without markup the text is shown as it is. The exit status is the answer.
        exec zenity --question --no-markup --default-cancel --icon-name=dialog-password \
                --title=factord --ok-label=Approve --cancel-label='Not now' --text="$1"
fi

# Here zenity takes a backslash for an escape and an underscore for a short cut.
text=$(printf '%s\n' "$1" | sed 's/\\/\\\\/g; s/_/__/g')
exec zenity --entry --title=factord --ok-label=Approve --cancel-label='Not now' --text="$text"
