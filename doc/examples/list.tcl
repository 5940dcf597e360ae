# Lists the ports in use on a host: tclsh list.tcl ?host?
package require portAllocator
set p [::portAllocator create remote -hostname [expr {$argc ? [lindex $argv 0] : "localhost"}]]
set usage [$p listPorts]
foreach allocation $usage {
  set port        [lindex $allocation 0]
  set application [lindex $allocation 1]
  set user        [lindex $allocation 2]
  puts "Port $port allocated to $application run by $user"
}
