/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/notify-message.h"

static int append_actions(sd_bus_message *m, const Notice *n) {
        int r = sd_bus_message_open_container(m, 'a', "s");

        for (size_t i = 0; i < n->n_actions && r >= 0; i++)
                r = sd_bus_message_append(m, "ss", n->actions[i].key, n->actions[i].label);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static const struct {
        const char *icon;
        const char *category;
        uint8_t urgency;
        bool transient;
} looks[] = {
                [NOTICE_PROMPT] = {"dialog-password", "x-factord.approval", 2, false},
                [NOTICE_ALARM] = {"dialog-warning", "x-factord.alarm", 2, false},
                [NOTICE_OUTCOME] = {"dialog-information", "x-factord.outcome", 0, true},
                [NOTICE_FAILURE] = {"dialog-error", "x-factord.outcome", 1, true},
};

static int append_hints(sd_bus_message *m, NoticeType type) {
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}{sv}{sv}", "urgency", "y",
                                (int) looks[type].urgency, "category", "s", looks[type].category,
                                "desktop-entry", "s", "factor-agent");
        if (r >= 0 && looks[type].transient)
                r = sd_bus_message_append(m, "{sv}", "transient", "b", true);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* In milliseconds. Never 0, for ever: a server that outlives the agent would keep what nobody
 * withdraws, and one without actions (notify-osd) makes that a box with buttons, which would decide
 * nothing. */
static int32_t expire_timeout(const Notice *n) {
        usec_t lasts = n->lasts > 0 && n->lasts < USEC_PER_DAY ? n->lasts : USEC_PER_DAY;

        return (int32_t) (lasts / USEC_PER_MSEC + 1);
}

int notify_message_new(sd_bus_message **ret,
                sd_bus *bus,
                const char *server,
                const Notice *n,
                uint32_t replaces) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(
                        bus, &m, server, SERVER_PATH, SERVER_INTERFACE, "Notify");
        if (r >= 0)
                r = sd_bus_message_append(m, "susss", "factord", replaces, looks[n->type].icon,
                                n->summary, n->body);
        if (r >= 0)
                r = append_actions(m, n);
        if (r >= 0)
                r = append_hints(m, n->type);
        if (r >= 0)
                r = sd_bus_message_append(m, "i", (int) expire_timeout(n));
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}
