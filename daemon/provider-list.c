/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "daemon/provider-call.h"
#include "daemon/view.h"

#define LIST_ALL_MAX 10000 /* challenges that one call gathers */
#define LIST_PAGES_MAX 1000

typedef struct ListParameters {
        char *target, *factor_sid, *status, *order, *page_token;
        int64_t page_size, page;
} ListParameters;

static const JsonField list_fields[] = {
                {"target", JSON_RAW, offsetof(ListParameters, target), JSON_MANDATORY},
                {"factor_sid", JSON_STRING, offsetof(ListParameters, factor_sid), JSON_NULLABLE},
                {"status", JSON_STRING, offsetof(ListParameters, status), JSON_NULLABLE},
                {"order", JSON_STRING, offsetof(ListParameters, order), JSON_NULLABLE},
                {"page_size", JSON_INT, offsetof(ListParameters, page_size), JSON_NULLABLE},
                {"page", JSON_INT, offsetof(ListParameters, page), JSON_NULLABLE},
                {"page_token", JSON_STRING, offsetof(ListParameters, page_token), JSON_NULLABLE},
};

static void list_parameters_done(ListParameters *p) {
        json_fields_done(list_fields, ELEMENTSOF(list_fields), p);
}

/* Asked for a page, the caller turns pages itself. */
static bool list_wants_all(const Call *call) {
        return !parameter_given(call, "page") && !parameter_given(call, "page_token") &&
               !parameter_given(call, "page_size");
}

static int list_gather(ProviderCall *p, const VerifyChallengeList *page) {
        for (size_t i = 0; i < page->n_items; i++) {
                json_object *o = NULL;
                if (json_object_array_length(p->items) >= LIST_ALL_MAX)
                        return -E2BIG;
                /* A copy: the page's own strings are wiped with it. */
                if (json_object_deep_copy(json_doc_object(page->items[i].doc), &o, NULL) < 0)
                        return -ENOMEM;
                provider_redact(p->manager, &page->items[i], o);
                if (json_object_array_add(p->items, o) < 0) {
                        json_object_put(o);
                        return -ENOMEM;
                }
        }
        return 0;
}

/* To who asked with "more", an item a reply; what stays in the list is for the last one. */
static int list_stream(ProviderCall *p) {
        size_t n = json_object_array_length(p->items);

        if (!call_wants_more(p->call) || n == 0)
                return 0;
        for (size_t i = 0; i < n; i++) {
                json_object *one = json_object_new_array();
                json_object *item = json_object_get(json_object_array_get_idx(p->items, i));
                int r;

                if (!one || json_object_array_add(one, item) < 0) {
                        json_object_put(item);
                        json_object_put(one);
                        return -ENOMEM;
                }
                r = call_reply_more(p->call, view_reply("challenges", one));
                if (r < 0)
                        return r;
        }
        return json_object_array_del_idx(p->items, 0, n) < 0 ? -ENOMEM : 0;
}

static void list_reply(ProviderCall *p, const VerifyChallengeList *page) {
        int r = list_stream(p);
        json_object *o;

        if (r < 0) {
                (void) call_error(p->call, IPC_STORE_ERROR, NULL, "The list cannot be told: %s",
                                strerror(-r));
                return;
        }
        o = view_reply("challenges", TAKE_PTR(p->items));
        view_add(o, "next_page",
                        page->next_page >= 0 ? json_object_new_int64(page->next_page) : NULL);
        view_add_string(o, "next_page_token", page->page_token);
        (void) call_reply(p->call, o);
}

static bool list_next(ProviderCall *p, const VerifyChallengeList *page) {
        _cleanup_(verify_request_done) VerifyRequest request = {0};
        VerifyList list = p->list;
        int r;

        list.page = page->next_page;
        list.page_token = page->page_token;
        r = verify_challenge_list(&request, &p->entity, &list, NULL);
        if (r >= 0)
                provider_send(p, &request, 0, NULL);
        else
                (void) call_error(p->call, IPC_API_ERROR, view_api_error(0, 0),
                                "The provider's next page cannot be asked for");
        return r >= 0;
}

static bool list_replied(ProviderCall *p, const ApiReply *reply) {
        _cleanup_(verify_challenge_list_done) VerifyChallengeList page = {0};
        _cleanup_free_ char *why = NULL;
        int r;

        if (reply->outcome != API_OK) {
                provider_failed(p->call, reply);
                return false;
        }
        r = verify_challenge_list_read(&page, reply->body, reply->len, &why);
        if (r >= 0 && page.n_malformed > 0)
                r = error_set(&why, -EBADMSG, "%s", strempty(page.malformed_why));
        if (r >= 0)
                r = list_gather(p, &page);
        if (r == -E2BIG)
                r = error_set(&why, r, "There are more than %i challenges; ask for pages",
                                LIST_ALL_MAX);
        if (r < 0) {
                (void) call_error(p->call, IPC_API_ERROR, view_api_error(reply->http_status, 0),
                                "The provider's list cannot be used: %s", error_text(why, r));
                return false;
        }
        if (page.page_token && list_wants_all(p->call) && ++p->n_pages >= LIST_PAGES_MAX) {
                (void) call_error(p->call, IPC_API_ERROR, view_api_error(reply->http_status, 0),
                                "The provider's list has no end");
                return false;
        }
        if (call_is_done(p->call))
                return false; /* the caller has left */
        if (page.page_token && list_wants_all(p->call))
                return list_next(p, &page);
        list_reply(p, &page);
        return false;
}

void provider_challenge_list(Manager *m, Call *call) {
        _cleanup_(list_parameters_done) ListParameters l = {0};
        _cleanup_(verify_request_done) VerifyRequest request = {0};
        _cleanup_(provider_call_freep) ProviderCall *p = NULL;
        _cleanup_free_ char *why = NULL;
        int r;

        p = provider_call_new(m, call);
        if (!p || !parameters_read(call, list_fields, ELEMENTSOF(list_fields), &l) ||
                        !provider_target(p, l.target))
                return;
        p->items = json_object_new_array();
        p->factor_sid = TAKE_PTR(l.factor_sid);
        p->status = TAKE_PTR(l.status);
        p->order = TAKE_PTR(l.order);
        /* A device credential may list its own factor alone. */
        if (!p->factor_sid && p->who.device && text_set(&p->factor_sid, p->factor->record.sid) < 0)
                return;
        p->list = (VerifyList){
                        .factor_sid = p->factor_sid,
                        .status = p->status,
                        .order = p->order,
                        .page_size = l.page_size,
                        .page = parameter_given(call, "page") ? l.page : -1,
                        .page_token = l.page_token,
        };
        p->replied = list_replied;
        if (parameter_given(call, "page_size") && l.page_size < VERIFY_PAGE_SIZE_MIN)
                r = error_set(&why, -EINVAL, "PageSize must be %i to %i", VERIFY_PAGE_SIZE_MIN,
                                VERIFY_PAGE_SIZE_MAX);
        else if (parameter_given(call, "page") && l.page < 0)
                r = error_set(&why, -EINVAL, "Page must be 0 or more");
        else
                r = verify_challenge_list(&request, &p->entity, &p->list, &why);
        p->list.page_token = NULL; /* it lives no longer than this call */
        provider_send(TAKE_PTR(p), &request, r, why);
}
