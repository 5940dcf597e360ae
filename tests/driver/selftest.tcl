# Proves that check.tcl cannot be fooled: runs it on suites that fail, say
# nothing, or exit with a status that their tests do not explain.

array set env {PA_BUILD . PA_SOURCE . PA_SANITIZE {} PA_CC cc}
source [file join [file dirname [info script]] .. check.tcl]

set passed 0
set failed 0

# Runs one suite that prints `text` and exits with `status`; compares the counts.
proc expect {what form text status counts} {
    foreach name {passed failed skipped} {
        set ::check::$name 0
    }
    set ::check::troubles {}
    rename puts quiet_puts
    proc puts args {}
    check::suite $what $form [list sh -c "printf '%s\\n' '$text'; exit $status"]
    rename puts {}
    rename quiet_puts puts
    set got [list $::check::passed $::check::failed $::check::skipped]
    if {$got eq $counts} {
        incr ::passed
    } else {
        incr ::failed
        puts "$what: {$got} instead of {$counts}"
    }
}

expect "a cmocka test that fails" tap "ok 1 - a\nnot ok 2 - b" 1 {1 1 0}
expect "a cmocka test that is skipped" tap "ok 1 - a\nok 2 # SKIP b" 0 {1 0 1}
expect "a crash after the last test" tap "ok 1 - a" 139 {1 1 0}
expect "a suite that says nothing" tap "" 0 {0 1 0}
expect "a tcltest file that fails" total "x: Total 3 Passed 1 Skipped 1 Failed 1" 1 {1 1 1}
expect "a tcltest file that dies" total "couldn't load" 1 {0 1 0}
expect "a failure with exit status 0" total "Total 2 Passed 1 Skipped 0 Failed 1" 0 {1 1 0}
expect "a program that fails" exit "" 3 {0 1 0}
expect "a program that succeeds" exit "" 0 {1 0 0}
expect "a plain sum" plain "2 passed, 1 failed" 1 {2 1 0}

puts "$passed passed, $failed failed"
exit [expr {$failed > 0}]
