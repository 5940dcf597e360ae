# What all test files share: the package under test, a port manager of one's
# own, raw conversations with it, and the search for what a test left behind.
#
# The build is found by the environment:
#   PA_PKGDIR      the directory of pkgIndex.tcl
#   PA_DAEMON      the program DaqPortManager
#   PA_LSSERVICES  the program lsservices; PA_LSPORTS, PA_PORTS_HELPER, PA_SPOOL_*: others
#   PA_TCLSH       the tclsh of child processes (default: this one)
#   PA_PATIENCE    a factor on every deadline, for slow machines and valgrind
#
# A test file begins with `source support.tcl` and ends with `support finish`.
# Nothing here sleeps for a time in the hope that something has happened by
# then: every wait is for a condition and ends with an error at its deadline.

package require Tcl 8.6-
package require tcltest 2.5
namespace import ::tcltest::test ::tcltest::testConstraint

namespace eval support {
    variable directory [file dirname [file normalize [info script]]]
    variable patience 1
    variable scratch {}
    variable next_range 0
    variable managers {}
    variable descriptors {}
    namespace export finish wait_until deadline tclsh script evaluate client scratch range \
        new_host descriptors children
    namespace ensemble create
}
namespace eval manager {
    namespace export start stop kill signal running log
    namespace ensemble create
}
namespace eval conn {
    namespace export open send half_close line ask list at_end close
    namespace ensemble create
}

foreach name {PKGDIR DAEMON LSSERVICES} {
    testConstraint [string tolower $name] [info exists ::env(PA_$name)]
}
if {[info exists ::env(PA_PATIENCE)]} {
    set support::patience $::env(PA_PATIENCE)
}
if {[info exists ::env(PA_PKGDIR)]} {
    set ::env(PA_PKGDIR) [file normalize $::env(PA_PKGDIR)]
    lappend ::auto_path $::env(PA_PKGDIR)
}
# A sanitizer that was preloaded has its place in this process; a shell does not even start
# with ThreadSanitizer. Child processes that need it are started by [support tclsh].
if {[info exists ::env(PA_SANITIZE)] && $::env(PA_SANITIZE) ne {}} {
    unset -nocomplain ::env(LD_PRELOAD)
}
# No test is to find a port manager of the machine it runs on.
set ::env(DAQPORTMGR_PORTFILE) /nonexistent/listen.port

# ------------------------------------------------------------------ waiting --

# Milliseconds of patience for what should take `ms` at most.
proc support::deadline {{ms 10000}} {
    variable patience
    return [expr {int($ms * $patience)}]
}

# Serves events until the condition, an expression in the caller's scope, holds.
proc support::wait_until {condition {ms 10000}} {
    set end [expr {[clock milliseconds] + [deadline $ms]}]
    while {![uplevel 1 [list expr $condition]]} {
        if {[clock milliseconds] > $end} {
            error "gave up waiting until $condition"
        }
        set [namespace current]::tick 0
        after 5 [list set [namespace current]::tick 1]
        vwait [namespace current]::tick
    }
}

# ------------------------------------------------------------ what is shared --

# The path of a name in the directory of this process, which finish deletes.
proc support::scratch {{name {}}} {
    variable scratch
    if {$scratch eq {}} {
        close [file tempfile scratch portallocator-test]
        file delete $scratch
        file mkdir $scratch
    }
    return [file join $scratch $name]
}

# Whether the port can be bound here and now.
proc support::is_free {port} {
    if {[catch {socket -server {} $port} listener]} {
        return 0
    }
    close $listener
    return 1
}

# A range of `count` ports below 32768 that are free, {low high}; each call
# another one, each process in another place.
proc support::range {{count 10}} {
    variable next_range
    for {set tries 0} {$tries < 200} {incr tries} {
        set low [expr {10000 + (([pid] * 37 + $next_range) % 1100) * 20}]
        incr next_range [expr {($count + 19) / 20}]
        set high [expr {$low + $count - 1}]
        set all_free 1
        for {set port $low} {$all_free && $port <= $high} {incr port} {
            set all_free [is_free $port]
        }
        if {$all_free} {
            return [list $low $high]
        }
    }
    error "no range of $count free ports"
}

# ---------------------------------------------------------- child processes --

proc support::tclsh {} {
    if {[info exists ::env(PA_TCLSH)]} {
        return $::env(PA_TCLSH)
    }
    return [info nameofexecutable]
}

# Writes a script that finds the package as this process does; returns its path.
proc support::script {name body} {
    set path [scratch $name]
    set file [open $path w]
    puts $file [list set ::auto_path $::auto_path]
    puts $file $body
    close $file
    return $path
}

# Runs a script in a process of its own and returns what it wrote.
proc support::evaluate {body args} {
    return [exec [tclsh] [script child.tcl $body] {*}$args 2>@1]
}

# A new interpreter with the package. Deleting it frees the ports it allocated.
# Words that follow are the name of an allocator to make there, and its options.
proc support::client {args} {
    set child [interp create]
    $child eval [list set ::auto_path $::auto_path]
    $child eval {package require portAllocator}
    if {[llength $args] > 0} {
        $child eval [list portAllocator create {*}$args]
    }
    return $child
}

# Whether this is a host of the test's own, with namespaces of the network, of processes and of
# mounts, as root of this machine or as one's own root. Where it is not, the test file is run once
# more on such a host, which ends with this process, and that ends with its status; where there can
# be no such host the test file goes on. `marker` is the environment variable that tells.
proc support::new_host {marker} {
    if {[info exists ::env($marker)]} {
        return 1
    }
    set way {setpriv --pdeathsig KILL unshare --net --mount --pid --fork --mount-proc --kill-child}
    if {[exec id -u] != 0} {
        lappend way --user --map-root-user
    }
    if {[catch {exec {*}$way true}]} {
        return 0
    }
    set ::env($marker) 1
    set failed [catch {
        exec {*}$way [tclsh] [info script] {*}$::argv >@stdout 2>@stderr
    } text options]
    file delete -force [scratch]
    exit [expr {$failed ? [lindex [dict get $options -errorcode] 2] : 0}]
}

# Whether a process runs; one that nobody has waited for yet does not.
proc support::runs {pid} {
    if {[catch {open /proc/$pid/stat} file]} {
        return 0
    }
    set stat [read $file]
    close $file
    return [expr {[lindex [string range $stat [string last ) $stat]+1 end] 0] ne "Z"}]
}

# The processes that this one has started and that run.
proc support::children {} {
    set pids {}
    foreach path [glob -nocomplain /proc/self/task/*/children] {
        set file [open $path]
        foreach pid [read $file] {
            if {[runs $pid]} {
                lappend pids $pid
            }
        }
        close $file
    }
    return $pids
}

# The sockets and pipes that this process has open.
proc support::descriptors {} {
    set found {}
    foreach path [glob -nocomplain /proc/self/fd/*] {
        if {![catch {file readlink $path} target] && [regexp {^(socket|pipe):} $target]} {
            lappend found $target
        }
    }
    return [lsort $found]
}

# ------------------------------------------------------------- port manager --

# Starts a port manager with a directory and a range of its own, on a port the
# system chooses. Switches given here go before its own. Returns a dictionary:
# pid, port, low and high (the range), dir, log, usagefile, portfile, pidfile.
proc manager::start {args} {
    set dir [support::scratch manager[incr [namespace current]::count]]
    file mkdir $dir
    if {[dict exists $args -ports]} {
        lassign [split [dict get $args -ports] -] low high
    } else {
        lassign [support::range] low high
    }
    # Tests claim to be whoever they like.
    set switches [dict create -ports $low-$high -listen 0 -owner trust -log $dir/log \
        -socket $dir/socket -usagefile $dir/ports.txt -portfile $dir/listen.port \
        -pidfile $dir/pid]
    set switches [dict merge $switches $args]
    # Should the test file die, its manager dies with it.
    set guard {}
    if {[auto_execok setpriv] ne {}} {
        set guard {setpriv --pdeathsig KILL}
    }
    set channel [open |[list {*}$guard $::env(PA_DAEMON) {*}$switches > $dir/out 2> $dir/err] w]
    set handle [dict create pid [pid $channel] low $low high $high dir $dir channel $channel \
        out $dir/out err $dir/err]
    foreach file {log usagefile portfile pidfile socket} {
        dict set handle $file [dict get $switches -$file]
    }
    lappend support::managers $handle
    support::wait_until {[file exists [dict get $handle portfile]] || ![running $handle]}
    if {![running $handle]} {
        set status [stop $handle]
        error "the port manager ended ($status): [read_file $dir/out][read_file $dir/err]"
    }
    dict set handle port [lindex [split [read_file [dict get $handle portfile]] \n] 0]
    return $handle
}

proc manager::read_file {path} {
    if {![file exists $path]} {
        return {}
    }
    set file [open $path]
    set text [read $file]
    close $file
    return $text
}

proc manager::running {handle} {
    return [support::runs [dict get $handle pid]]
}

# The text of the manager's log.
proc manager::log {handle} {
    return [read_file [dict get $handle log]]
}

proc manager::signal {handle name} {
    exec kill -$name [dict get $handle pid]
}

# Sends a signal, waits for the end, and returns how it ended: the exit status,
# or the name of the signal that killed it.
proc manager::stop {handle {signal TERM}} {
    if {[running $handle]} {
        signal $handle $signal
    }
    support::wait_until {![running $handle]} 20000
    set pid [dict get $handle pid]
    set support::managers [lmap one $support::managers {
        if {[dict get $one pid] == $pid} continue
        set one
    }]
    if {![catch {close [dict get $handle channel]} - result]} {
        return 0
    }
    return [lindex [dict get $result -errorcode] 2]
}

proc manager::kill {handle} {
    return [stop $handle KILL]
}

# --------------------------------------------------------- raw conversation --

# Opens a connection to a manager. Lines are ended as the Tcl client ends them.
proc conn::open {port {host localhost}} {
    set channel [socket $host $port]
    fconfigure $channel -translation {auto crlf} -encoding utf-8 -buffering line -blocking 0
    return $channel
}

# Sends bytes as they are, without a line end.
proc conn::send {channel bytes} {
    fconfigure $channel -translation binary -blocking 1
    puts -nonewline $channel $bytes
    flush $channel
    fconfigure $channel -translation {auto crlf} -encoding utf-8 -blocking 0
}

proc conn::half_close {channel} {
    ::close $channel write
}

# The next line; an error if the manager closes or does not answer.
proc conn::line {channel {ms 10000}} {
    support::wait_until {[gets $channel line] >= 0 || [eof $channel]} $ms
    if {[eof $channel] && $line eq {}} {
        error "the connection was closed"
    }
    return $line
}

# Sends a request and returns the first line of the answer.
proc conn::ask {channel request} {
    puts $channel $request
    return [line $channel]
}

# Asks for the ports in use; a list of {port name user}.
proc conn::list {channel} {
    set answer [ask $channel LIST]
    set entries {}
    for {set i 0} {$i < [lindex $answer 1]} {incr i} {
        lappend entries [line $channel]
    }
    return $entries
}

# Waits until the manager closes the connection; true if nothing came before.
proc conn::at_end {channel} {
    set rest {}
    support::wait_until {[append rest [read $channel]] eq {} && [eof $channel] || $rest ne {}}
    return [expr {$rest eq {}}]
}

proc conn::close {channel} {
    ::close $channel
}

# ------------------------------------------------------------------- ending --

# Ends a test file: looks for what it left behind, writes the totals, and exits
# with 1 if a test failed.
proc support::finish {} {
    variable managers
    variable descriptors
    variable scratch
    # libtcl collects the processes that it was not asked to wait for.
    catch {exec true}
    test leaks "nothing is left: no process, no socket, no pipe" -body {
        ::list [support::children] [support::descriptors]
    } -result [::list {} $descriptors]
    foreach handle $managers {
        manager::kill $handle
    }
    foreach pid [children] {
        exec kill -KILL $pid
    }
    set failed [expr {$::tcltest::numTests(Failed) > 0}]
    ::tcltest::cleanupTests
    file delete -force $scratch
    exit $failed
}

# tcltest looks for files that tests leave in its directory: not in this one,
# where people work.
file mkdir [support::scratch tcltest]
tcltest::configure -tmpdir [support::scratch tcltest] {*}$::argv
# Waiting starts libtcl's notifier, whose pipe stays.
after 1 {set support::tick 1}
vwait support::tick
set support::descriptors [support::descriptors]
