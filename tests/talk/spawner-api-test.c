/* The Admin API of the real domain-spawner, byte for byte. */
#include "tests/talk/spawner-stage.h"

#include <sys/mman.h>
#include <sys/stat.h>

#define DOM0(method) method " dom0 name dom0"
#define WORK(method) method " dom0 name work"

static void an_empty_instance_has_dom0_and_a_template(void **state)
{
    struct stage s;
    const char *answer;

    (void)state;
    stage_begin(&s);
    answer = stage_call(&s, DOM0("admin.vm.List+"), "");
    assert_memory_equal(answer, "0", 2);
    assert_true(str_starts(answer + 2, "dom0 class=AdminVM state=Running "
                                       "uuid=00000000-0000-0000-0000-000000000000\n"
                                       "local class=TemplateVM state=Halted uuid="));
    assert_int_equal(answer[stage_len - 1], '\n');
    stage_expect(&s, "admin.vm.List dom0 keyword adminvm", "", answer + 2);
    stage_expect(&s, DOM0("admin.vmclass.List+"), "",
                 "AppVM\nTemplateVM\nStandaloneVM\nAdminVM\nDispVM\nRemoteVM\n");
    stage_expect(&s, DOM0("admin.property.Get+default_template"), "",
                 "default=False type=vm local");
    stage_expect(&s, "admin.vm.feature.Get+os dom0 name local", "", "Linux");
    stage_end(&s);
}

static void a_domain_is_made_shown_and_removed(void **state)
{
    struct stage s;
    const char *answer;

    (void)state;
    stage_begin(&s);
    stage_create(&s, "work");
    answer = stage_call(&s, WORK("admin.vm.List+"), "");
    assert_true(str_starts(answer + 2, "work class=AppVM state=Halted uuid="));
    assert_int_equal(stage_len, 2 + strlen("work class=AppVM state=Halted uuid=") + 36 + 1);
    stage_expect(&s, WORK("admin.vm.CurrentState+"), "",
                 "mem=0 mem_static_max=0 cputime=0 power_state=Halted");
    stage_refused(&s, DOM0("admin.vm.Create.AppVM+local"), "name=work label=red",
                  "QubesVMAlreadyExistsError");
    stage_refused(&s, DOM0("admin.vm.Create.AppVM+nobody"), "name=x label=red",
                  "QubesVMNotFoundError");
    stage_refused(&s, DOM0("admin.vm.Create.AppVM+work"), "name=x label=red",
                  "QubesPropertyValueError");
    stage_refused(&s, DOM0("admin.vm.Create.AppVM+"), "name=x label=pink",
                  "QubesLabelNotFoundError");
    stage_refused(&s, DOM0("admin.vm.Create.AppVM+"), "name=x-dm label=red", "QubesValueError");
    stage_refused(&s, DOM0("admin.vm.Create.AppVM+"), "name=x", "ProtocolError");
    stage_refused(&s, DOM0("admin.vm.Create.AppVM+"), "name=x label=red more=1", "ProtocolError");
    stage_refused(&s, "admin.vm.Remove+ dom0 name local", "", "QubesVMInUseError");
    stage_refused(&s, DOM0("admin.vm.Remove+"), "", "QubesVMInUseError");
    stage_expect(&s, WORK("admin.vm.Remove+"), "", "");
    stage_refused(&s, WORK("admin.vm.Remove+"), "", "QubesVMNotFoundError");
    stage_refused(&s, "admin.vm.List+ dom0 name uuid:12", "", "QubesVMInvalidUUIDError");
    stage_end(&s);
}

static void properties_go_round(void **state)
{
    struct stage s;

    (void)state;
    stage_begin(&s);
    stage_create(&s, "work");
    stage_expect(&s, WORK("admin.vm.property.Get+memory"), "", "default=True type=int 400");
    stage_expect(&s, WORK("admin.vm.property.Set+memory"), "512", "");
    stage_expect(&s, WORK("admin.vm.property.Get+memory"), "", "default=False type=int 512");
    stage_expect(&s, WORK("admin.vm.property.GetDefault+memory"), "", "type=int 400");
    stage_expect(&s, WORK("admin.vm.property.GetDefault+name"), "", "");
    stage_expect(&s, WORK("admin.vm.property.Reset+memory"), "", "");
    stage_expect(&s, WORK("admin.vm.property.Get+memory"), "", "default=True type=int 400");
    stage_expect(&s, WORK("admin.vm.property.Get+netvm"), "", "default=True type=vm ");
    stage_expect(&s, WORK("admin.vm.property.Get+name"), "", "default=False type=str work");
    stage_expect(&s, WORK("admin.vm.property.Get+label"), "", "default=False type=label red");
    stage_expect(&s, WORK("admin.vm.property.Get+template_for_dispvms"), "",
                 "default=True type=bool False");
    stage_expect(&s, WORK("admin.vm.property.Set+template_for_dispvms"), "yes", "");
    stage_expect(&s, WORK("admin.vm.property.Get+template_for_dispvms"), "",
                 "default=False type=bool True");
    stage_expect(&s, WORK("admin.vm.property.Set+kernelopts"), "a\\b ; c", "");
    assert_non_null(strstr(stage_call(&s, WORK("admin.vm.property.GetAll+"), "") + 2,
                           "\nkernelopts default=False type=str a\\\\b ; c\n"));
    assert_non_null(strstr(stage_call(&s, WORK("admin.vm.property.List+"), "") + 2, "\nmemory\n"));
    stage_refused(&s, WORK("admin.vm.property.Get+bogus"), "", "QubesNoSuchPropertyError");
    stage_refused(&s, WORK("admin.vm.property.Set+memory"), "much", "QubesValueError");
    stage_refused(&s, WORK("admin.vm.property.Set+uuid"), "x", "QubesPropertyValueError");
    stage_refused(&s, WORK("admin.vm.property.Get+"), "", "ProtocolError");
    stage_refused(&s, WORK("admin.vm.property.Get+memory"), "x", "ProtocolError");
    stage_expect(&s, DOM0("admin.property.Get+default_qrexec_timeout"), "",
                 "default=True type=int 60");
    stage_expect(&s, DOM0("admin.vm.property.Get+uuid"), "",
                 "default=False type=str 00000000-0000-0000-0000-000000000000");
    stage_end(&s);
}

static void tags_features_notes_and_rules_go_round(void **state)
{
    struct stage s;

    (void)state;
    stage_begin(&s);
    stage_create(&s, "work");
    stage_expect(&s, WORK("admin.vm.tag.List+"), "", "audiovm-dom0\ncreated-by-dom0\nguivm-dom0\n");
    stage_expect(&s, WORK("admin.vm.tag.Set+red_one"), "", "");
    stage_expect(&s, WORK("admin.vm.tag.Get+red_one"), "", "1");
    stage_expect(&s, WORK("admin.vm.tag.Remove+red_one"), "", "");
    stage_expect(&s, WORK("admin.vm.tag.Get+red_one"), "", "0");
    stage_refused(&s, WORK("admin.vm.tag.Remove+red_one"), "", "QubesTagNotFoundError");
    stage_refused(&s, WORK("admin.vm.tag.Set+a.b"), "", "QubesInvalidTagError");
    stage_refused(&s, "admin.vm.tag.Set+created-by-x mgmt name work", "", "PermissionDenied");
    stage_expect(&s, WORK("admin.vm.feature.Set+gui"), "", "");
    stage_expect(&s, WORK("admin.vm.feature.Get+gui"), "", "");
    stage_expect(&s, WORK("admin.vm.feature.Set+x.y"), "a ; b  ", "");
    stage_expect(&s, WORK("admin.vm.feature.Get+x.y"), "", "a ; b  ");
    stage_expect(&s, WORK("admin.vm.feature.List+"), "", "gui\nx.y\n");
    stage_expect(&s, WORK("admin.vm.feature.Remove+gui"), "", "");
    stage_refused(&s, WORK("admin.vm.feature.Get+gui"), "", "QubesFeatureNotFoundError");
    stage_refused(&s, WORK("admin.vm.feature.Get+os"), "", "QubesFeatureNotFoundError");
    stage_expect(&s, WORK("admin.vm.feature.CheckWithTemplate+os"), "", "Linux");
    stage_refused(&s, WORK("admin.vm.feature.CheckWithNetvm+os"), "", "QubesFeatureNotFoundError");
    stage_refused(&s, WORK("admin.vm.feature.Set+preload-dispvm"), "x", "PermissionDenied");
    stage_refused(&s, WORK("admin.vm.feature.Set+x"), "a\nb", "QubesValueError");
    stage_expect(&s, WORK("admin.vm.notes.Set+"), "gr\xc3\xbc\xc3\x9f\x01\n\xff", "");
    stage_expect(&s, WORK("admin.vm.notes.Get+"), "", "gr\xc3\xbc\xc3\x9f_\n_");
    stage_expect(&s, WORK("admin.vm.firewall.Get+"), "", "action=accept\n");
    stage_expect(&s, WORK("admin.vm.firewall.Set+"), "dst4=10.0.0.1 action=accept\naction=drop",
                 "");
    stage_expect(&s, WORK("admin.vm.firewall.Get+"), "",
                 "action=accept dst4=10.0.0.1/32\naction=drop\n");
    stage_end(&s);
}

static void lists_that_clients_need_are_not_empty(void **state)
{
    struct stage s;

    (void)state;
    stage_begin(&s);
    stage_create(&s, "work");
    stage_expect(&s, DOM0("admin.label.List+"), "",
                 "red\norange\nyellow\ngreen\ngray\nblue\npurple\nblack\n");
    stage_expect(&s, DOM0("admin.label.Get+red"), "", "0xcc0000");
    stage_expect(&s, DOM0("admin.label.Index+black"), "", "8");
    stage_expect(&s, DOM0("admin.label.Create+pink"), "0xff00ff", "");
    stage_expect(&s, DOM0("admin.label.Index+pink"), "", "9");
    stage_expect(&s, WORK("admin.vm.property.Set+label"), "pink", "");
    stage_refused(&s, DOM0("admin.label.Remove+pink"), "", "QubesException");
    stage_refused(&s, DOM0("admin.label.Get+mauve"), "", "QubesLabelNotFoundError");
    stage_expect(&s, DOM0("admin.pool.List+"), "", "local\n");
    stage_expect(&s, WORK("admin.vm.volume.List+"), "", "root\nprivate\nvolatile\nkernel\n");
    assert_non_null(
        strstr(stage_call(&s, WORK("admin.vm.volume.Info+root"), "") + 2, "\nsource=local/root\n"));
    stage_expect(&s, DOM0("admin.deviceclass.List+"), "", "");
    stage_expect(&s, WORK("admin.vm.device.block.Available+"), "", "");
    stage_end(&s);
}

static void system_info_says_what_policy_needs(void **state)
{
    struct stage s;
    const char *answer;

    (void)state;
    stage_begin(&s);
    stage_dvm(&s, "dvm");
    answer = stage_call(&s, "internal.GetSystemInfo+ dom0 name dom0", "");
    assert_memory_equal(answer, "0", 2);
    assert_non_null(strstr(answer + 2, "\"dvm\":{\"tags\":[\"audiovm-dom0\",\"created-by-dom0\","
                                       "\"guivm-dom0\"],\"type\":\"AppVM\","
                                       "\"template_for_dispvms\":true,\"default_dispvm\":\"dvm\""));
    assert_non_null(strstr(answer + 2, "\"power_state\":\"Halted\",\"icon\":\"appvm-red\","
                                       "\"label\":\"0xcc0000\""));
    assert_non_null(strstr(answer + 2, "\"generation\":"));
    stage_refused(&s, DOM0("admin.vm.Bogus+"), "", "ProtocolError");
    stage_end(&s);
}

static void a_change_raises_the_generation_before_its_answer(void **state)
{
    struct stage s;
    char path[4200];
    int fd;
    const uint64_t *page;
    uint64_t before;

    (void)state;
    stage_begin(&s);
    stage_create(&s, "work");
    assert_int_equal(format(path, sizeof(path), "%s/run/qubes/generation", s.root), 0);
    fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(page != MAP_FAILED);
    before = *page;
    stage_call(&s, DOM0("admin.vm.List+"), "");
    assert_true(*page == before);
    stage_expect(&s, WORK("admin.vm.tag.Set+x"), "", "");
    assert_true(*page > before);
    close(fd);
    munmap((void *)page, 4096);
    stage_end(&s);
}

static void malformed_requests_cost_only_themselves(void **state)
{
    static const char *const headers[] = {
        "x", "a b c", "a b name c d", "admin.vm.List dom0 what dom0", " dom0 name dom0", ""};
    static char big[70001];
    struct stage s;
    struct bytes b;
    int fd;

    (void)state;
    stage_begin(&s);
    for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
        stage_refused(&s, headers[i], "", "ProtocolError");
    /* no header at all: closed without an answer */
    fd = stage_send(&s, false, "x", "", false);
    close(fd);
    memset(big, 'x', sizeof(big) - 1);
    fd = stage_send(&s, false, "admin.vm.notes.Set+ dom0 name local", "", false);
    (void)write_full(fd, big, sizeof(big) - 1);
    stage_read(fd, &b, 5000);
    assert_int_equal(b.len, 0);
    stage_expect(&s, DOM0("admin.pool.List+"), "", "local\n");
    stage_end(&s);
}

static void a_domain_that_asks_sees_itself_only(void **state)
{
    struct stage s;
    const char *answer;

    (void)state;
    stage_begin(&s);
    stage_create(&s, "work");
    stage_create(&s, "vault");
    answer = stage_call(&s, "admin.vm.List+ work name dom0", "");
    assert_true(str_starts(answer + 2, "work class="));
    assert_null(strstr(answer + 2, "vault"));
    stage_end(&s);
}

static void what_was_set_survives_kill_and_restart(void **state)
{
    struct stage s;

    (void)state;
    stage_begin(&s);
    stage_create(&s, "work");
    stage_expect(&s, WORK("admin.vm.property.Set+memory"), "777", "");
    stage_expect(&s, DOM0("admin.vm.feature.Set+x"), "1", "");
    stage_kill(&s);
    stage_run(&s);
    stage_expect(&s, WORK("admin.vm.property.Get+memory"), "", "default=False type=int 777");
    stage_expect(&s, DOM0("admin.vm.feature.Get+x"), "", "1");
    stage_end(&s);
}

static void a_file_changed_by_hand_counts_at_once(void **state)
{
    struct stage s;
    char path[4200];
    const char *answer = "";

    (void)state;
    stage_begin(&s);
    stage_create(&s, "work");
    assert_int_equal(format(path, sizeof(path), "%s/var/lib/qubes/domains/byhand.conf", s.root), 0);
    assert_int_equal(file_replace(path, "type = AppVM\ntemplate = local\nmemory = 99\n",
                                  strlen("type = AppVM\ntemplate = local\nmemory = 99\n"), 0644),
                     0);
    stage_listed(&s, "byhand class=AppVM", true);
    stage_expect(&s, "admin.vm.property.Get+memory dom0 name byhand", "",
                 "default=False type=int 99");
    assert_int_equal(file_replace(path, "type = AppVM\nmemory =\n much\n",
                                  strlen("type = AppVM\nmemory =\n much\n"), 0644),
                     0);
    for (int i = 0; i < 20; i++)
        answer = stage_call(&s, "admin.vm.property.Get+memory dom0 name byhand", "");
    assert_string_equal(answer + 2, "default=False type=int 99");
    unlink(path);
    stage_listed(&s, "byhand", false);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_instance_has_dom0_and_a_template),
        cmocka_unit_test(a_domain_is_made_shown_and_removed),
        cmocka_unit_test(properties_go_round),
        cmocka_unit_test(tags_features_notes_and_rules_go_round),
        cmocka_unit_test(lists_that_clients_need_are_not_empty),
        cmocka_unit_test(system_info_says_what_policy_needs),
        cmocka_unit_test(a_change_raises_the_generation_before_its_answer),
        cmocka_unit_test(malformed_requests_cost_only_themselves),
        cmocka_unit_test(a_domain_that_asks_sees_itself_only),
        cmocka_unit_test(what_was_set_survives_kill_and_restart),
        cmocka_unit_test(a_file_changed_by_hand_counts_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
