#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What is particular to push factors. */

#include "sandbox/call.h"

/* Reads Binding.* of a create into f. Returns false with the reply set when it is refused. */
bool push_read_binding(Call *c, Factor *f);
/* Reads those of Config.* that the request has into f; creating also wants the mandatory ones.
 * Returns false with the reply set when they are refused. */
bool push_read_config(Call *c, Factor *f, bool creating);

/* Members of the factor as the API shows them. NULL when memory is short. */
json_object *push_config_to_json(const Factor *f);
json_object *push_binding_to_json(const Factor *f);

/* Whether payload is base64 of a DER signature over the factor's SID by its key.
 * Returns 0, -ENOMEM or -EIO. */
int push_check_signature(const Factor *f, const char *payload, bool *ret);
