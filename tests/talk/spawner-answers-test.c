/* domain-spawner's answers, byte for byte: each test is a talk of requests and what comes back. */
#include "tests/talk/spawner-stage.h"

#define A    "admin."
#define V    "admin.vm."
#define P    V "property."
#define F    V "feature."
#define T    V "tag."
#define DOM0 " dom0 name dom0"
#define WORK " dom0 name work"
#define TPL  " dom0 name local"

struct say {
    const char *header, *payload;
    const char *content; /* of success, or */
    const char *type;    /* … of an exception */
};

#define OK(header, payload, content)                                                               \
    {                                                                                              \
        (header), (payload), (content), NULL                                                       \
    }
#define NO(header, payload, type)                                                                  \
    {                                                                                              \
        (header), (payload), NULL, (type)                                                          \
    }

static void talk(const struct stage *s, const struct say *say, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (say[i].type)
            stage_refused(s, say[i].header, say[i].payload, say[i].type);
        else
            stage_expect(s, say[i].header, say[i].payload, say[i].content);
}

/* In an instance with an AppVM "work" on the first template, "local". */
static void talk_in_new_instance(const struct say *say, size_t n)
{
    struct stage s;

    stage_begin(&s);
    stage_create(&s, "work");
    talk(&s, say, n);
    stage_end(&s);
}

#define TALK(name, ...)                                                                            \
    static void name(void **state)                                                                 \
    {                                                                                              \
        static const struct say says[] = {__VA_ARGS__};                                            \
                                                                                                   \
        (void)state;                                                                               \
        talk_in_new_instance(says, ARRAY_SIZE(says));                                              \
    }

#define X      "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
#define NOBODY "00000000-0000-0000-0000-000000000000"

/* Each uuid but dom0's, which must have its form, becomes X. */
static void mask_uuids(char *text)
{
    for (char *p = text; (p = strstr(p, " uuid=")); p++) {
        char *uuid = p + strlen(" uuid=");

        if (str_starts(uuid, NOBODY))
            continue;
        for (size_t i = 0; i < strlen(X); i++) {
            assert_true(X[i] == '-' ? uuid[i] == '-' : strchr("0123456789abcdef", uuid[i]) != NULL);
            uuid[i] = X[i];
        }
    }
}

static char *list(const struct stage *s, const char *header)
{
    char *text = strdup(stage_call(s, header, "") + 2);

    assert_non_null(text);
    mask_uuids(text);
    return text;
}

static void list_has_dom0_first_then_by_name(void **state)
{
    struct stage s;
    _cleanup_(freep) char *text = NULL;

    (void)state;
    stage_begin(&s);
    stage_create(&s, "zoo");
    stage_create(&s, "alpha");
    stage_expect(&s, V "Create.StandaloneVM+" DOM0, "name=alone label=red", "");
    stage_expect(&s, V "Create.RemoteVM+" DOM0, "name=far label=red", "");
    text = list(&s, V "List+" DOM0);
    assert_string_equal(text, "dom0 class=AdminVM state=Running "
                              "uuid=00000000-0000-0000-0000-000000000000\n"
                              "alone class=StandaloneVM state=Halted uuid=" X "\n"
                              "alpha class=AppVM state=Halted uuid=" X "\n"
                              "far class=RemoteVM state=Running uuid=" X "\n"
                              "local class=TemplateVM state=Halted uuid=" X "\n"
                              "zoo class=AppVM state=Halted uuid=" X "\n");
    free(text);
    text = list(&s, V "List+ dom0 name zoo");
    assert_string_equal(text, "zoo class=AppVM state=Halted uuid=" X "\n");
    stage_end(&s);
}

static void a_domain_is_found_by_its_uuid(void **state)
{
    struct stage s;
    _cleanup_(freep) char *header = NULL;
    const char *answer;

    (void)state;
    stage_begin(&s);
    stage_create(&s, "work");
    answer = stage_call(&s, P "Get+uuid" WORK, "");
    assert_true(str_starts(answer + 2, "default=False type=str "));
    header =
        format_new(P "Get+name dom0 name uuid:%s", answer + 2 + strlen("default=False type=str "));
    assert_non_null(header);
    stage_expect(&s, header, "", "default=False type=str work");
    stage_refused(&s, "admin.vm.List+ dom0 name uuid:12", "", "QubesVMInvalidUUIDError");
    stage_refused(&s, "admin.vm.List+ dom0 name uuid:01234567-0123-0123-0123-0123456789AB", "",
                  "QubesVMInvalidUUIDError");
    stage_refused(&s, "admin.vm.List+ dom0 name uuid:01234567-0123-0123-0123-0123456789ab", "",
                  "QubesVMNotFoundError");
    stage_end(&s);
}

TALK(classes_and_states,
     OK(A "vmclass.List+" DOM0, "", "AppVM\nTemplateVM\nStandaloneVM\nAdminVM\nDispVM\nRemoteVM\n"),
     OK(V "CurrentState+" WORK, "", "mem=0 mem_static_max=0 cputime=0 power_state=Halted"),
     OK(V "CurrentState+" DOM0, "", "mem=0 mem_static_max=0 cputime=0 power_state=Running"))

TALK(names_of_new_domains_are_checked,
     NO(V "Create.AppVM+local" DOM0, "name=work label=red", "QubesVMAlreadyExistsError"),
     NO(V "Create.AppVM+local" DOM0, "name=1st label=red", "QubesValueError"),
     NO(V "Create.AppVM+local" DOM0, "name=a/b label=red", "QubesValueError"),
     NO(V "Create.AppVM+local" DOM0, "name=none label=red", "QubesValueError"),
     NO(V "Create.AppVM+local" DOM0, "name=default label=red", "QubesValueError"),
     NO(V "Create.AppVM+local" DOM0, "name=Domain-0 label=red", "QubesValueError"),
     NO(V "Create.AppVM+local" DOM0, "name=work-dm label=red", "QubesValueError"),
     NO(V "Create.AppVM+local" DOM0, "name=dom0 label=red", "QubesVMAlreadyExistsError"),
     NO(V "Create.AppVM+local" DOM0, "name=abcdefghijklmnopqrstuvwxyz012345 label=red",
        "QubesValueError"),
     OK(V "Create.AppVM+local" DOM0, "name=abcdefghijklmnopqrstuvwxyz01234 label=red", ""),
     OK(V "Create.AppVM+local" DOM0, "label=blue name=A.b_c-d", ""),
     OK(P "Get+label dom0 name A.b_c-d", "", "default=False type=label blue"))

TALK(creation_is_checked, NO(V "Create.AppVM+" DOM0, "name=b", "ProtocolError"),
     NO(V "Create.AppVM+" DOM0, "", "ProtocolError"),
     NO(V "Create.AppVM+" DOM0, "name=b  label=red", "ProtocolError"),
     NO(V "Create.AppVM+" DOM0, "name=b label=red name=c", "ProtocolError"),
     NO(V "Create.AppVM+" DOM0, "name=b label=red size=1", "ProtocolError"),
     NO(V "Create.AppVM+" DOM0, "name=b label=red pool=local", "ProtocolError"),
     NO(V "Create.AppVM+" DOM0, "name=b label=pink", "QubesLabelNotFoundError"),
     NO(V "Create.AppVM+nosuch" DOM0, "name=b label=red", "QubesVMNotFoundError"),
     NO(V "Create.AppVM+work" DOM0, "name=b label=red", "QubesPropertyValueError"),
     NO(V "Create.DispVM+work" DOM0, "name=b label=red", "QubesPropertyValueError"),
     NO(V "Create.DispVM+" DOM0, "name=b label=red", "QubesValueError"),
     NO(V "Create.TemplateVM+local" DOM0, "name=b label=red", "QubesValueError"),
     NO(V "Create.StandaloneVM+local" DOM0, "name=b label=red", "QubesValueError"),
     NO(V "Create.AdminVM+" DOM0, "name=b label=red", "ProtocolError"),
     NO(V "Create.AppVM+" WORK, "name=b label=red", "ProtocolError"),
     OK(V "CreateInPool.AppVM+" DOM0, "name=b label=red pool=local", ""),
     OK(V "CreateInPool.AppVM+" DOM0, "name=c label=red pool:private=local", ""),
     NO(V "CreateInPool.AppVM+" DOM0, "name=d label=red pool=nosuch", "QubesException"),
     OK(T "List+ dom0 name b", "", "audiovm-dom0\ncreated-by-dom0\nguivm-dom0\n"),
     OK(V "Create.AppVM+ mgmt name dom0", "name=e label=red", ""),
     OK(T "Get+created-by-mgmt dom0 name e", "", "1"))

TALK(properties_are_got_set_and_reset, OK(P "Get+memory" WORK, "", "default=True type=int 400"),
     OK(P "Set+memory" WORK, "1024", ""),
     OK(P "Get+memory" WORK, "", "default=False type=int 1024"),
     OK(P "GetDefault+memory" WORK, "", "type=int 400"), OK(P "Reset+memory" WORK, "", ""),
     OK(P "Get+memory" WORK, "", "default=True type=int 400"),
     OK(P "Get+template" WORK, "", "default=False type=vm local"),
     OK(P "GetDefault+template" WORK, "", ""), OK(P "Get+netvm" WORK, "", "default=True type=vm "),
     OK(P "Get+autostart" WORK, "", "default=True type=bool False"),
     OK(P "Set+autostart" WORK, "yes", ""),
     OK(P "Get+autostart" WORK, "", "default=False type=bool True"),
     OK(P "Get+klass" WORK, "", "default=False type=str AppVM"),
     OK(P "Get+icon" WORK, "", "default=False type=str appvm-red"),
     OK(P "Get+xid" WORK, "", "default=False type=int -1"),
     OK(P "Get+start_time" WORK, "", "default=False type=int "),
     OK(P "Get+updateable" WORK, "", "default=False type=bool False"),
     OK(P "Get+updateable" TPL, "", "default=False type=bool True"),
     OK(P "Get+qid" DOM0, "", "default=False type=int 0"),
     OK(P "Get+label" DOM0, "", "default=False type=label black"),
     OK(P "Get+icon" DOM0, "", "default=False type=str adminvm-black"))

TALK(properties_are_refused, NO(P "Get+nosuch" WORK, "", "QubesNoSuchPropertyError"),
     NO(P "Set+nosuch" WORK, "1", "QubesNoSuchPropertyError"),
     NO(P "Get+template_for_dispvms" TPL, "", "QubesNoSuchPropertyError"),
     NO(P "Get+netvm" DOM0, "", "QubesNoSuchPropertyError"), NO(P "Get+" WORK, "", "ProtocolError"),
     NO(P "Get+memory" WORK, "x", "ProtocolError"), NO(P "Set+memory" WORK, "", "QubesValueError"),
     NO(P "Set+memory" WORK, "0", "QubesValueError"),
     NO(P "Set+memory" WORK, "-1", "QubesValueError"),
     NO(P "Set+memory" WORK, "12 ", "QubesValueError"),
     NO(P "Set+memory" WORK, "99999999999", "QubesValueError"),
     NO(P "Set+autostart" WORK, "maybe", "QubesValueError"),
     NO(P "Set+autostart" WORK, "", "QubesValueError"),
     NO(P "Set+netvm" WORK, "nosuch", "QubesPropertyValueError"),
     NO(P "Set+netvm" WORK, "a b", "QubesValueError"),
     NO(P "Set+netvm" WORK, "local", "QubesValueError"),
     NO(P "Set+default_dispvm" WORK, "local", "QubesPropertyValueError"),
     NO(P "Set+template" WORK, "", "QubesValueError"),
     NO(P "Reset+template" WORK, "", "QubesValueError"),
     NO(P "Reset+label" WORK, "", "QubesValueError"),
     NO(P "Set+label" WORK, "pink", "QubesLabelNotFoundError"),
     NO(P "Set+name" WORK, "b", "QubesPropertyValueError"),
     NO(P "Set+uuid" WORK, "b", "QubesPropertyValueError"),
     NO(P "Reset+klass" WORK, "", "QubesPropertyValueError"),
     NO(P "Set+default_user" WORK, "-x", "QubesValueError"),
     NO(P "Set+kernelopts" WORK, "a\nb", "QubesValueError"),
     NO(P "Set+virt_mode" WORK, "qemu", "QubesValueError"),
     NO(P "Get+memory dom0 name nosuch", "", "QubesVMNotFoundError"))

TALK(global_properties,
     OK(A "property.Get+default_template" DOM0, "", "default=False type=vm local"),
     OK(A "property.Get+default_dispvm" DOM0, "", "default=True type=vm "),
     NO(A "property.Set+default_dispvm" DOM0, "work", "QubesPropertyValueError"),
     OK(P "Set+template_for_dispvms" WORK, "True", ""),
     OK(A "property.Set+default_dispvm" DOM0, "work", ""),
     OK(P "Get+default_dispvm" WORK, "", "default=True type=vm work"),
     OK(P "Get+default_dispvm" DOM0, "", "default=True type=vm work"),
     OK(P "Set+default_dispvm" WORK, "", ""),
     OK(P "Get+default_dispvm" WORK, "", "default=False type=vm "),
     OK(P "GetDefault+default_dispvm" WORK, "", "type=vm work"),
     OK(A "property.GetDefault+default_qrexec_timeout" DOM0, "", "type=int 60"),
     OK(A "property.Set+default_qrexec_timeout" DOM0, "90", ""),
     OK(P "Get+qrexec_timeout" WORK, "", "default=True type=int 90"),
     OK(A "property.Reset+default_qrexec_timeout" DOM0, "", ""),
     OK(P "Get+qrexec_timeout" WORK, "", "default=True type=int 60"),
     NO(A "property.Set+maxmem" DOM0, "1", "QubesPropertyValueError"),
     NO(A "property.Get+nosuch" DOM0, "", "QubesNoSuchPropertyError"),
     NO(A "property.Get+default_dispvm" WORK, "", "ProtocolError"))

TALK(features, OK(F "List+" WORK, "", ""), NO(F "Get+gui" WORK, "", "QubesFeatureNotFoundError"),
     OK(F "Set+gui" WORK, "1", ""), OK(F "Set+a.b_c-d" WORK, "100% = \\ ~", ""),
     OK(F "Set+empty" WORK, "", ""), OK(F "Get+gui" WORK, "", "1"),
     OK(F "Get+a.b_c-d" WORK, "", "100% = \\ ~"), OK(F "Get+empty" WORK, "", ""),
     OK(F "List+" WORK, "", "a.b_c-d\nempty\ngui\n"), OK(F "Remove+gui" WORK, "", ""),
     NO(F "Remove+gui" WORK, "", "QubesFeatureNotFoundError"),
     NO(F "Set+a/b" WORK, "1", "QubesValueError"), NO(F "Set+x" WORK, "a\nb", "QubesValueError"),
     NO(F "Set+x" WORK, "\xc3\xa4", "QubesValueError"),
     NO(F "Set+preload-dispvm" WORK, "disp1", "PermissionDenied"),
     NO(F "Remove+preload-dispvm-completed" WORK, "", "PermissionDenied"),
     NO(F "Set+" WORK, "1", "ProtocolError"))

TALK(features_are_found_along_templates_netvms_and_dom0,
     OK(F "CheckWithTemplate+os" WORK, "", "Linux"), OK(F "Set+os" WORK, "", ""),
     OK(F "CheckWithTemplate+os" WORK, "", ""),
     NO(F "CheckWithTemplate+x" WORK, "", "QubesFeatureNotFoundError"),
     OK(F "Set+x" DOM0, "from dom0", ""), OK(F "CheckWithAdminVM+x" WORK, "", "from dom0"),
     OK(F "CheckWithTemplateAndAdminVM+x" WORK, "", "from dom0"),
     NO(F "CheckWithTemplate+x" WORK, "", "QubesFeatureNotFoundError"),
     NO(F "CheckWithAdminVM+vmexec" WORK, "", "QubesFeatureNotFoundError"),
     OK(F "CheckWithTemplateAndAdminVM+vmexec" WORK, "", "1"),
     OK(F "Set+x" TPL, "from the template", ""),
     OK(F "CheckWithTemplateAndAdminVM+x" WORK, "", "from the template"),
     OK(V "Create.AppVM+" DOM0, "name=net label=red", ""),
     OK(P "Set+provides_network dom0 name net", "True", ""), OK(P "Set+netvm" WORK, "net", ""),
     NO(F "CheckWithNetvm+y" WORK, "", "QubesFeatureNotFoundError"),
     OK(F "Set+y dom0 name net", "from the netvm", ""),
     OK(F "CheckWithNetvm+y" WORK, "", "from the netvm"),
     OK(F "CheckWithNetvm+y dom0 name net", "", "from the netvm"))

TALK(tags, OK(T "List+" WORK, "", "audiovm-dom0\ncreated-by-dom0\nguivm-dom0\n"),
     OK(T "Get+a" WORK, "", "0"), OK(T "Set+b" WORK, "", ""), OK(T "Set+a" WORK, "", ""),
     OK(T "Set+a" WORK, "", ""), OK(T "Get+a" WORK, "", "1"),
     OK(T "List+" WORK, "", "a\naudiovm-dom0\nb\ncreated-by-dom0\nguivm-dom0\n"),
     OK(T "Remove+a" WORK, "", ""), NO(T "Remove+a" WORK, "", "QubesTagNotFoundError"),
     NO(T "Set+a.b" WORK, "", "QubesInvalidTagError"), NO(T "Get+a b" WORK, "", "ProtocolError"),
     NO(T "Set+created-by-x work name work", "", "PermissionDenied"),
     NO(T "Remove+created-by-dom0 work name work", "", "PermissionDenied"),
     OK(T "Set+created-by-x" WORK, "", ""), OK(P "Set+guivm" WORK, "", ""),
     OK(T "Get+guivm-dom0" WORK, "", "0"))

TALK(notes_and_firewall, OK(V "notes.Get+" WORK, "", ""),
     OK(V "notes.Set+" WORK, "two\nlines \xc3\xa4\x01\xff", ""),
     OK(V "notes.Get+" WORK, "", "two\nlines \xc3\xa4__"), OK(V "notes.Set+" WORK, "", ""),
     OK(V "notes.Get+" WORK, "", ""), NO(V "notes.Get+" DOM0, "", "ProtocolError"),
     OK(V "firewall.Get+" WORK, "", "action=accept\n"),
     OK(V "firewall.Set+" WORK,
        "proto=tcp action=accept dstports=443 dsthost=10.0.0.1\n"
        "action=drop comment=all the rest\n",
        ""),
     OK(V "firewall.Get+" WORK, "",
        "action=accept dst4=10.0.0.1/32 proto=tcp dstports=443-443\n"
        "action=drop comment=all the rest\n"),
     OK(V "firewall.Reload+" WORK, "", ""),
     NO(V "firewall.Set+" WORK, "action=perhaps\n", "QubesValueError"),
     NO(V "firewall.Set+" WORK, "action=accept dstports=1\n", "QubesValueError"),
     OK(V "firewall.Set+" WORK, "action=accept expire=1\naction=drop\n", ""),
     OK(V "firewall.Get+" WORK, "", "action=drop\n"), OK(V "firewall.Set+" WORK, "", ""),
     OK(V "firewall.Get+" WORK, "", ""), NO(V "firewall.Get+" DOM0, "", "ProtocolError"))

TALK(labels,
     OK(A "label.List+" DOM0, "", "red\norange\nyellow\ngreen\ngray\nblue\npurple\nblack\n"),
     OK(A "label.Get+red" DOM0, "", "0xcc0000"), OK(A "label.Index+black" DOM0, "", "8"),
     NO(A "label.Get+pink" DOM0, "", "QubesLabelNotFoundError"),
     OK(A "label.Create+pink" DOM0, "0xff00cc", ""), OK(A "label.Create+cyan" DOM0, "0x00ffff", ""),
     OK(A "label.Get+pink" DOM0, "", "0xff00cc"), OK(A "label.Index+pink" DOM0, "", "9"),
     OK(A "label.Index+cyan" DOM0, "", "10"),
     OK(A "label.List+" DOM0, "",
        "red\norange\nyellow\ngreen\ngray\nblue\npurple\nblack\ncyan\npink\n"),
     NO(A "label.Create+pink" DOM0, "0xff00cc", "QubesValueError"),
     NO(A "label.Create+a/b" DOM0, "0xff00cc", "QubesInvalidLabelError"),
     NO(A "label.Create+x" DOM0, "ff00cc", "QubesValueError"), OK(P "Set+label" WORK, "pink", ""),
     NO(A "label.Remove+pink" DOM0, "", "QubesException"), OK(P "Set+label" WORK, "red", ""),
     OK(A "label.Remove+pink" DOM0, "", ""), NO(A "label.Remove+red" DOM0, "", "QubesException"),
     NO(A "label.Remove+pink" DOM0, "", "QubesLabelNotFoundError"))

TALK(pools_volumes_and_devices, OK(A "pool.List+" DOM0, "", "local\n"),
     NO(A "pool.Info+nosuch" DOM0, "", "QubesException"),
     OK(V "volume.List+" WORK, "", "root\nprivate\nvolatile\nkernel\n"),
     NO(V "volume.Info+nosuch" WORK, "", "QubesException"),
     OK(V "volume.Info+root" WORK, "",
        "pool=local\nvid=work/root\nsize=0\nusage=0\nrw=True\nsource=local/root\npath=\n"
        "save_on_stop=False\nsnap_on_start=True\nrevisions_to_keep=0\nephemeral=False\n"
        "is_outdated=False\n"),
     OK(V "volume.Info+private" WORK, "",
        "pool=local\nvid=work/private\nsize=0\nusage=0\nrw=True\nsource=\npath=\n"
        "save_on_stop=True\nsnap_on_start=False\nrevisions_to_keep=0\nephemeral=False\n"
        "is_outdated=False\n"),
     OK(A "deviceclass.List+" DOM0, "", ""), OK(V "device.pci.Available+" DOM0, "", ""),
     OK(V "device.usb.Attached+" WORK, "", ""))

TALK(removal, NO(V "Remove+" DOM0, "", "QubesVMInUseError"),
     NO(V "Remove+" TPL, "", "QubesVMInUseError"), OK(V "Remove+" WORK, "", ""),
     NO(V "Remove+" WORK, "", "QubesVMNotFoundError"),
     OK(V "Create.AppVM+" DOM0, "name=work label=red", ""))

TALK(what_is_malformed_is_refused, NO(V "Nosuch+" DOM0, "", "ProtocolError"),
     NO("internal.GetSystemInfo" WORK, "", "ProtocolError"),
     NO("nosuch+" DOM0, "", "ProtocolError"), NO(V "List dom0 name", "", "ProtocolError"),
     NO(V "List+ dom0 kind dom0", "", "ProtocolError"),
     NO(V "List+  name dom0", "", "ProtocolError"),
     NO(V "List+ dom0 name dom0 x", "", "ProtocolError"), NO(V "List+x" DOM0, "", "ProtocolError"),
     NO(V "List+" DOM0, "x", "ProtocolError"), NO("", "", "ProtocolError"),
     NO(V "List+ dom0 name nosuch", "", "QubesVMNotFoundError"),
     NO(V "List+ dom0 name ../../etc/passwd", "", "QubesVMNotFoundError"),
     NO(V "List+ a/b name dom0", "", "ProtocolError"), NO(V "Start+x" WORK, "", "ProtocolError"),
     NO(V "Shutdown+now" WORK, "", "ProtocolError"))

TALK(headers_have_two_forms, OK(A "deviceclass.List" DOM0, "", ""),
     OK(A "label.Index+red dom0 keyword adminvm", "", "1"))

static void get_all_has_each_property_escaped(void **state)
{
    struct stage s;
    _cleanup_(freep) char *all = NULL;
    const char *names;

    (void)state;
    stage_begin(&s);
    stage_create(&s, "work");
    stage_expect(&s, P "Set+kernelopts" WORK, "a\\b c", "");
    all = strdup(stage_call(&s, P "GetAll+" WORK, "") + 2);
    assert_non_null(all);
    assert_non_null(strstr(all, "\nkernelopts default=False type=str a\\\\b c\n"));
    assert_true(str_starts(all, "name default=False type=str work\n"));
    names = stage_call(&s, P "List+" WORK, "") + 2;
    for (const char *p = names, *q = all; *p; p += strcspn(p, "\n") + 1) {
        size_t n = strcspn(p, "\n");

        assert_memory_equal(p, q, n);
        assert_int_equal(q[n], ' ');
        q += strcspn(q, "\n") + 1;
    }
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_has_dom0_first_then_by_name),
        cmocka_unit_test(a_domain_is_found_by_its_uuid),
        cmocka_unit_test(classes_and_states),
        cmocka_unit_test(names_of_new_domains_are_checked),
        cmocka_unit_test(creation_is_checked),
        cmocka_unit_test(properties_are_got_set_and_reset),
        cmocka_unit_test(properties_are_refused),
        cmocka_unit_test(get_all_has_each_property_escaped),
        cmocka_unit_test(global_properties),
        cmocka_unit_test(features),
        cmocka_unit_test(features_are_found_along_templates_netvms_and_dom0),
        cmocka_unit_test(tags),
        cmocka_unit_test(notes_and_firewall),
        cmocka_unit_test(labels),
        cmocka_unit_test(pools_volumes_and_devices),
        cmocka_unit_test(removal),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(headers_have_two_forms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
