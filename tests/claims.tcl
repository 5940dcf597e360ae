# What the test files of `allocatePort` with options and of `listen` share: a manager with a
# socket in the file system that proves its users, a client of it, and programs that want a port.

source [file join [file dirname [info script]] daemon_support.tcl]
source [file join [file dirname [info script]] fakes.tcl]
package require portAllocator

testConstraint python3 [expr {![catch {exec python3 -c {import asyncio}}]}]
testConstraint node [expr {![catch {exec node -e {}}]}]
testConstraint helper [expr {[info exists ::env(PA_RESERVE_HELPER)]}]
set nobody {setpriv --reuid=65534 --regid=65534 --clear-groups}
testConstraint nobody [expr {[testConstraint root] && ![catch {exec {*}$nobody true}]}]

set me $tcl_platform(user)

# Starts a manager, and an interpreter whose allocator ::pm finds it by its port file.
proc serve {args} {
    start {*}[dict merge [list -socket [support scratch socket] -owner correct -quarantine 0] $args]
    set ::env(DAQPORTMGR_PORTFILE) [dict get $::manager portfile]
    set ::child [support client pm]
}
proc end_serving {} {
    if {[interp exists $::child]} {
        interp delete $::child
    }
    stop
    set ::env(DAQPORTMGR_PORTFILE) /nonexistent/listen.port
}

# A script in that interpreter, and its outcome: the result, or message and error code.
proc pm {args} {
    return [$::child eval [list pm {*}$args]]
}
proc outcome {script} {
    if {[catch {uplevel 1 $script} result options]} {
        return [list $result [lrange [dict get $options -errorcode] 0 end-1]]
    }
    return [list $result]
}

# What the manager lists, {port name} by {port name}.
proc listed {} {
    return [lmap entry [pm listPorts] {lrange $entry 0 1}]
}

# The value of a key of STATS.
proc statistic {key} {
    set channel [raw open]
    raw ask $channel "HELLO 2\n"
    set answer [raw ask $channel "STATS\n"]
    raw close $channel
    return [dict get [lindex $answer 1] $key]
}

# --------------------------------------------------------------- who wants a port --

# Starts a program that serves a port until its standard input ends, and says so.
proc program_start {args} {
    set program [open |[list {*}$args 2>@1] r+]
    fconfigure $program -buffering line
    if {[gets $program said] < 0 || $said ne "ready"} {
        catch {close $program}
        error "no server: $said"
    }
    return $program
}
proc program_stop {program} {
    close $program
}

# What a server says to a client.
proc greeting {port {host 127.0.0.1}} {
    set channel [socket $host $port]
    gets $channel line
    close $channel
    return $line
}

# Whether a stranger can bind the port who does not share it.
proc stranger_gets {port} {
    if {[catch {program_start $::env(PA_RESERVE_HELPER) serve -strict $port} program]} {
        return 0
    }
    program_stop $program
    return 1
}
