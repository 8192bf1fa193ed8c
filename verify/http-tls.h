#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Trust: the file of authorities, and why a server is not believed. The inside of verify/http.h. */

#include <curl/curl.h>

#include "base/macros.h"

/* Whether a transfer failed for want of a trusted connection. */
bool tls_is_cause(CURLcode code);
/* What an administrator can do about it, to follow libcurl's own word. Static. */
const char *tls_hint(CURL *handle, CURLcode code);
