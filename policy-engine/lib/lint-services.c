/*
 * Misspelt services: a rule for a service that nothing knows, while something knows one of nearly
 * that name. A name that is like no other is somebody's own service, and is fine.
 *
 * Methods of the Admin API are passed over: there are many of similar names, and not all are here.
 */
#include "policy-engine/lib/advice.h"
#include "policy-engine/lib/findings.h"

#include <ctype.h>
#include <strings.h>

/* What the field's domains have, in dom0 or not. */
static const char *const common[] = {
    "ctap.ClientPin",
    "ctap.GetInfo",
    "policy.Ask",
    "policy.EvalGUI",
    "policy.EvalSimple",
    "policy.Get",
    "policy.GetFiles",
    "policy.List",
    "policy.Notify",
    "policy.RegisterArgument",
    "policy.Remove",
    "policy.Replace",
    "policy.include.Get",
    "policy.include.List",
    "policy.include.Remove",
    "policy.include.Replace",
    "qubes.AudioInputDisable",
    "qubes.AudioInputEnable",
    "qubes.Backup",
    "qubes.ClipboardPaste",
    "qubes.ConnectTCP",
    "qubes.DetachPciDevice",
    "qubes.FeaturesRequest",
    "qubes.Filecopy",
    "qubes.GetAppmenus",
    "qubes.GetDate",
    "qubes.GetImageRGBA",
    "qubes.Gpg",
    "qubes.Gpg2",
    "qubes.GpgImportKey",
    "qubes.InputKeyboard",
    "qubes.InputMouse",
    "qubes.InputTablet",
    "qubes.InstallUpdatesGUI",
    "qubes.NotifyTools",
    "qubes.NotifyUpdates",
    "qubes.OpenInVM",
    "qubes.OpenURL",
    "qubes.PdfConvert",
    "qubes.PostInstall",
    "qubes.ReceiveUpdates",
    "qubes.ResizeDisk",
    "qubes.Restore",
    "qubes.RestoreById",
    "qubes.SelectDirectory",
    "qubes.SelectFile",
    "qubes.SetDateTime",
    "qubes.SetGuiMode",
    "qubes.SetMonitorLayout",
    "qubes.SshAgent",
    "qubes.StartApp",
    "qubes.SuspendPost",
    "qubes.SuspendPostAll",
    "qubes.SuspendPre",
    "qubes.SuspendPreAll",
    "qubes.SyncAppMenus",
    "qubes.TemplateDownload",
    "qubes.TemplateSearch",
    "qubes.USB",
    "qubes.USBAttach",
    "qubes.USBDetach",
    "qubes.UpdatesProxy",
    "qubes.VMExec",
    "qubes.VMExecGUI",
    "qubes.VMRootExec",
    "qubes.VMRootShell",
    "qubes.VMShell",
    "qubes.WaitForSession",
    "qubes.WindowIconUpdater",
    "u2f.Authenticate",
    "u2f.Register",
};

/* "90-default.policy": what packages bring. */
static bool is_shipped(const char *file)
{
    const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;

    return base[0] == '9' && isdigit((unsigned char)base[1]) && base[2] == '-';
}

/* Everything known; strings stay their owners'. */
struct catalogue {
    const char **list;
    size_t n, cap;
};

static int catalogue_add(struct catalogue *c, const char *service)
{
    int r = c->n && strcmp(c->list[c->n - 1], service) == 0 ? 1 : ARRAY_GROW(c->list, c->cap, c->n);

    if (!r)
        c->list[c->n++] = service;
    return r < 0 ? r : 0;
}

static int catalogue_make(struct catalogue *c, const struct policy *p, const char *const *installed,
                          size_t n)
{
    int r = 0;

    for (size_t i = 0; !r && i < sizeof(common) / sizeof(common[0]); i++)
        r = catalogue_add(c, common[i]);
    for (size_t i = 0; !r && i < n; i++)
        r = catalogue_add(c, installed[i]);
    for (size_t i = 0; !r && i < policy_count_rules(p); i++) {
        struct policy_rule_view v;

        policy_get_rule(p, i, &v);
        if (is_shipped(v.file) && strcmp(v.service, "*") != 0)
            r = catalogue_add(c, v.service);
    }
    return r;
}

static bool is_similar(const char *a, const char *b)
{
    return strcasecmp(a, b) == 0 || name_distance(a, b) <= (strlen(a) < 8 ? 1 : 2);
}

/* The known service that is meant; NULL: this one is known, or is like none. */
static const char *meant(const struct catalogue *c, const char *service)
{
    const char *best = NULL;
    size_t least = 4, d;

    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(c->list[i], service) == 0)
            return NULL;
        d = name_distance(service, c->list[i]);
        if (d < least && is_similar(service, c->list[i])) {
            least = d;
            best = c->list[i];
        }
    }
    return best;
}

static bool is_judged(const struct policy_rule_view *v)
{
    return v->line && strcmp(v->service, "*") != 0 && strncmp(v->service, "admin.", 6) != 0;
}

int policy_lint_services(const struct policy *p, const char *const *known, size_t n,
                         struct policy_findings *f)
{
    const char *last = "", *better = NULL; /* the service judged last */
    struct catalogue c = {0};
    int r = catalogue_make(&c, p, known, n);

    for (size_t i = 0; !r && i < policy_count_rules(p); i++) {
        _cleanup_(text_deinit) struct text text = {0};
        struct policy_rule_view v;

        policy_get_rule(p, i, &v);
        if (!is_judged(&v))
            continue;
        if (strcmp(v.service, last) != 0)
            better = meant(&c, v.service);
        last = v.service;
        if (!better)
            continue;
        text_addf(&text, "service %s is known nowhere: is %s meant?", v.service, better);
        r = text.failed ? -ENOMEM : findings_add(f, v.file, v.line, text.data);
    }
    free(c.list);
    if (!r)
        findings_sort(f);
    return r;
}
