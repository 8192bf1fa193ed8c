/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/input.h"

#include <json-c/json.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/output.h"

/* A message's size, less what stands round the text. */
#define INPUT_MAX (IPC_MESSAGE_MAX - 16 * 1024)

int input_add_file(Session *s,
                json_object *parameters,
                const char *key,
                const char *path,
                bool chomp) {
        _cleanup_(secret_done) Secret text = {0};
        _cleanup_free_ char *msg = NULL;
        int r;

        r = file_read_named(&text, path, INPUT_MAX, &msg);
        if (r < 0)
                return complain(EXIT_USAGE, "%s", error_text(msg, r));
        if (chomp)
                secret_chomp(&text);
        if (text.len == 0)
                return complain(EXIT_USAGE, "%s is empty", path);
        if (memchr(text.data, 0, text.len) || !utf8_valid(secret_string(&text), text.len))
                return complain(EXIT_USAGE, "%s is no text in UTF-8", path);
        parameters_add(s, parameters, key,
                        json_object_new_string_len(secret_string(&text), (int) text.len));
        return 0;
}
