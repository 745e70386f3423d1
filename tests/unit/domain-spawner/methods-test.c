/* The table of methods, and the firewall's rules. */
#include "tests/unit/test.h"

#include "domain-spawner/methods.h"

static void a_method_is_found_by_its_whole_name(void **state)
{
    static const struct {
        const char *name, *verb; /* verb NULL: no such method */
    } cases[] = {
        {"admin.vm.List", ""},
        {"admin.vm.Create.AppVM", "AppVM"},
        {"admin.vm.Create.AdminVM", NULL},
        {"admin.vm.Create.App", NULL},
        {"admin.vm.Create.AppVM TemplateVM", NULL},
        {"admin.vm.Create.", NULL},
        {"admin.vm.Pause", "Pause"},
        {"admin.vm.Paus", NULL},
        {"admin.vm.property.Get", "Get"},
        {"admin.vm.property.GetAll", "GetAll"},
        {"admin.vm.property.GetDefault", "GetDefault"},
        {"admin.property.Set", "Set"},
        {"admin.vm.feature.CheckWithTemplateAndAdminVM", "CheckWithTemplateAndAdminVM"},
        {"admin.vm.List2", NULL},
        {"", NULL},
        {"internal.GetSystemInfo", NULL},
    };
    const char *verb;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct method *m = method_find(false, cases[i].name, &verb);

        assert_int_equal(m != NULL, cases[i].verb != NULL);
        if (m)
            assert_string_equal(verb, cases[i].verb);
    }
    assert_non_null(method_find(true, "internal.GetSystemInfo", &verb));
    assert_non_null(method_find(true, "internal.LeaseDisposable", &verb));
    assert_null(method_find(true, "admin.vm.List", &verb));
}

static const char *checked(const char *name, struct domain *dest, const char *dest_name,
                           const char *argument, char *payload)
{
    static struct refusal refusal;
    struct call c = {.dest = dest, .payload = payload, .refusal = &refusal};
    const struct method *m = method_find(false, name, &c.verb);

    assert_non_null(m);
    assert_int_equal(format(c.argument, sizeof(c.argument), "%s", argument), 0);
    return method_check(m, &c, name, dest_name) ? refusal.type : "";
}

static void a_row_says_what_a_request_must_look_like(void **state)
{
    char none[] = "", some[] = "x";
    struct domain *vm, *admin;

    (void)state;
    assert_int_equal(domain_new("work", CLASS_APP, &vm), 0);
    assert_int_equal(domain_new("dom0", CLASS_ADMIN, &admin), 0);
    assert_string_equal(checked("admin.vm.List", vm, "work", "", none), "");
    assert_string_equal(checked("admin.vm.List", vm, "work", "x", none), "ProtocolError");
    assert_string_equal(checked("admin.vm.List", vm, "work", "", some), "ProtocolError");
    assert_string_equal(checked("admin.label.List", vm, "work", "", none), "ProtocolError");
    assert_string_equal(checked("admin.vm.notes.Get", admin, "dom0", "", none), "ProtocolError");
    assert_string_equal(checked("admin.vm.tag.Get", vm, "work", "", none), "ProtocolError");
    assert_string_equal(checked("admin.vm.Create.AppVM", admin, "dom0", "", none), "ProtocolError");
    assert_string_equal(checked("admin.vm.List", NULL, "nobody", "", none), "QubesVMNotFoundError");
    assert_string_equal(checked("admin.vm.List", NULL, "uuid:12", "", none),
                        "QubesVMInvalidUUIDError");
    domain_free(vm);
    domain_free(admin);
}

static void firewall_rules_come_out_in_one_form(void **state)
{
    static const struct {
        const char *in, *out; /* out NULL: refused */
    } cases[] = {
        {"action=accept\n", "action=accept\n"},
        {"action=accept", "action=accept\n"},
        {"", ""},
        {"proto=tcp action=accept dstports=80", "action=accept proto=tcp dstports=80-80\n"},
        {"action=accept dst4=10.0.0.1", "action=accept dst4=10.0.0.1/32\n"},
        {"action=accept dsthost=10.0.0.1", "action=accept dst4=10.0.0.1/32\n"},
        {"action=drop dsthost=2001:db8::1", "action=drop dst6=2001:db8::1/128\n"},
        {"action=drop dsthost=example.org", "action=drop dsthost=example.org\n"},
        {"action=accept dst4=10.0.0.0/8 comment=a b=c  d",
         "action=accept dst4=10.0.0.0/8 comment=a b=c  d\n"},
        {"action=accept specialtarget=dns\naction=drop\n",
         "action=accept specialtarget=dns\naction=drop\n"},
        {"action=accept proto=icmp icmptype=8", "action=accept proto=icmp icmptype=8\n"},
        {"action=allow", NULL},
        {"dst4=10.0.0.1", NULL},
        {"action=accept dst4=10.0.0.1/33", NULL},
        {"action=accept dst4=10.0.0.1 dst6=::1", NULL},
        {"action=accept dstports=80", NULL},
        {"action=accept proto=icmp dstports=80", NULL},
        {"action=accept proto=tcp dstports=90-80", NULL},
        {"action=accept proto=tcp dstports=65536", NULL},
        {"action=accept icmptype=8", NULL},
        {"action=accept action=drop", NULL},
        {"action=accept  proto=tcp", NULL},
        {"action=accept dsthost=-x", NULL},
        {"action=accept dsthost=a;b", NULL},
        {"action=accept expire=soon", NULL},
        {"action=accept bogus=1", NULL},
        {"action=accept\tproto=tcp", NULL},
    };
    struct refusal refusal;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *out = NULL;
        int r = firewall_normalise(cases[i].in, &out, &refusal);

        if (!cases[i].out) {
            assert_int_equal(r, REFUSED);
            assert_string_equal(refusal.type, "QubesValueError");
            continue;
        }
        assert_int_equal(r, 0);
        assert_string_equal(out, cases[i].out);
        free(out);
    }
}

static void expired_rules_vanish(void **state)
{
    static const char rules[] = "action=drop expire=100\naction=accept expire=200\n"
                                "action=drop comment=x expire=1\n";
    char *out = firewall_current(rules, 150);

    (void)state;
    assert_string_equal(out, "action=accept expire=200\naction=drop comment=x expire=1\n");
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_method_is_found_by_its_whole_name),
        cmocka_unit_test(a_row_says_what_a_request_must_look_like),
        cmocka_unit_test(firewall_rules_come_out_in_one_form),
        cmocka_unit_test(expired_rules_vanish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
