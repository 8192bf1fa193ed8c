/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/request.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "verify/path.h"

void verify_request_done(VerifyRequest *r) {
        free(r->path);
        secret_done(&r->body);
        *r = (VerifyRequest){0};
}

int verify_check_string_map(
                const char *parameter, const char *json, size_t max, char **reterr_msg) {
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        int r;

        r = form_check_text(parameter, json, STRLEN("{}"), max, reterr_msg);
        if (r < 0)
                return r;
        r = json_doc_parse(&doc, json, strlen(json), reterr_msg);
        if (r == -EBADMSG)
                return error_wrap(reterr_msg, -EINVAL, "%s is not a JSON object", parameter);
        if (r < 0)
                return r;
        for (size_t i = 0; i < json_doc_n_members(doc); i++) {
                JsonSlice raw;
                if (json_doc_raw(doc, json_doc_member_name(doc, i), &raw) && raw.data[0] != '"')
                        return error_set(reterr_msg, -EINVAL,
                                        "%s has a value that is not a string; all its values must "
                                        "be strings",
                                        parameter);
        }
        return 0;
}

int verify_access_token_create(
                VerifyRequest *ret, const VerifyAccessTokenCreate *p, char **reterr_msg) {
        _cleanup_(form_done) Form f = {.reterr_msg = reterr_msg};
        _cleanup_free_ char *path = NULL;
        int r;

        r = path_of_service(&path, p->service_sid, "AccessTokens", NULL, reterr_msg);
        if (r < 0)
                return r;
        form_require(&f, "Identity", p->identity);
        if (f.error == 0)
                f.error = form_check_identity(p->identity, reterr_msg);
        if (f.error == 0)
                form_add(&f, "Identity", p->identity);
        form_add(&f, "FactorType", "push");
        form_add_text(&f, "FactorFriendlyName", p->factor_friendly_name, 1,
                        VERIFY_FRIENDLY_NAME_MAX);
        form_add_int(&f, "Ttl", p->ttl, 0, VERIFY_TOKEN_TTL_MIN, VERIFY_TOKEN_TTL_MAX);
        r = request_finish(ret, VERIFY_POST, &path, &f);
        if (r == 0)
                ret->creates = true;
        return r;
}

int verify_access_token_fetch(VerifyRequest *ret,
                const char *service_sid,
                const char *token_sid,
                char **reterr_msg) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = path_of_service(&path, service_sid, "AccessTokens",
                        &(PathItem){"AccessTokenSid", token_sid, "YK"}, reterr_msg);
        return r < 0 ? r : request_finish(ret, VERIFY_GET, &path, NULL);
}
