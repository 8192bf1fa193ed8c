/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/path.h"

#include <errno.h>
#include <stdio.h>

#include "verify/reply.h"

static int check_given(const char *name, const char *value, char **reterr_msg) {
        return value ? 0 : error_set(reterr_msg, -EINVAL, "%s is missing", name);
}

static int check_item(const PathItem *item, char **reterr_msg) {
        int r = check_given(item->name, item->sid, reterr_msg);
        if (r < 0)
                return r;
        return form_check_sid(item->name, item->sid, item->prefix, reterr_msg);
}

static int path_make(char **ret,
                const char *service_sid,
                const char *identity,
                const char *collection,
                const PathItem *item,
                char **reterr_msg) {
        int r;

        r = check_item(&(PathItem){"ServiceSid", service_sid, "VA"}, reterr_msg);
        if (r == 0 && item)
                r = check_item(item, reterr_msg);
        if (r < 0)
                return r;
        if (asprintf(ret, "/v2/Services/%s%s%s/%s%s%s", service_sid, identity ? "/Entities/" : "",
                            identity ? identity : "", collection, item ? "/" : "",
                            item ? item->sid : "") < 0) {
                *ret = NULL;
                return -ENOMEM;
        }
        return 0;
}

int path_of_service(char **ret,
                const char *service_sid,
                const char *collection,
                const PathItem *item,
                char **reterr_msg) {
        return path_make(ret, service_sid, NULL, collection, item, reterr_msg);
}

int path_of_entity(char **ret,
                const VerifyEntity *entity,
                const char *collection,
                const PathItem *item,
                char **reterr_msg) {
        int r = check_given("Identity", entity->identity, reterr_msg);
        if (r == 0)
                r = form_check_identity(entity->identity, reterr_msg);
        if (r < 0)
                return r;
        return path_make(ret, entity->service_sid, entity->identity, collection, item, reterr_msg);
}

int request_finish(VerifyRequest *ret, VerifyMethod method, char **path, Form *form) {
        _cleanup_(form_done) Form f = {0};

        if (form) {
                f = *form;
                *form = (Form){0};
        }
        if (f.error < 0)
                return f.error;
        if (method != VERIFY_POST && f.text.len > 0) {
                char *with_query;
                if (asprintf(&with_query, "%s?%s", *path, secret_string(&f.text)) < 0)
                        return -ENOMEM;
                free(*path);
                *path = with_query;
        } else
                secret_move(&ret->body, &f.text);
        ret->method = method;
        ret->path = TAKE_PTR(*path);
        return 0;
}

void form_add_page(Form *f, const VerifyList *p) {
        form_add_int(f, "PageSize", p->page_size, 0, VERIFY_PAGE_SIZE_MIN, VERIFY_PAGE_SIZE_MAX);
        form_add_int(f, "Page", p->page, -1, 0, INT64_MAX);
        form_add_text(f, "PageToken", p->page_token, 1, VERIFY_PAGE_TOKEN_MAX);
}
