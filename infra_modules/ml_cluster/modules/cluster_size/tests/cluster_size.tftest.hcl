run "single_node_of_4_vcpus_fits_the_free_trial" {
  command = plan
  variables {
    node_type = "Standard_DS3_v2"
  }
  assert {
    condition     = output.vcpus == 4 && output.fits
    error_message = "One Standard_DS3_v2 has 4 vCPUs, which is the whole quota of the free trial."
  }
  assert {
    condition     = output.sentence == "1 node of Standard_DS3_v2 needs 4 of 4 vCPUs."
    error_message = "What fits is said in one sentence."
  }
}

run "a_worker_doubles_the_need_and_a_single_node_is_named" {
  command = plan
  variables {
    node_type = "Standard_DS3_v2"
    workers   = 1
  }
  assert {
    condition     = output.vcpus == 8 && !output.fits && output.largest_fitting_node_type == null
    error_message = "The driver is a node too, and no size has 2 vCPUs."
  }
  assert {
    condition     = strcontains(output.sentence, "need 8 vCPUs and the quota is 4. What fits: a single node of Standard_DS3_v2.")
    error_message = "The sentence must name what fits; it is: ${output.sentence}"
  }
}

run "fewer_workers_and_a_smaller_size_are_named_before_a_single_node" {
  command = plan
  variables {
    node_type  = "Standard_E8ds_v5"
    workers    = 3
    vcpu_quota = 20
  }
  assert {
    condition     = output.vcpus == 32 && output.largest_fitting_node_type == "Standard_E4ds_v5"
    error_message = "Four nodes share 20 vCPUs: 4 each, in the family that was asked for."
  }
  assert {
    condition     = strcontains(output.sentence, "What fits: 1 worker of Standard_E8ds_v5, or 4 nodes of Standard_E4ds_v5, or a single node of Standard_E20ds_v5.")
    error_message = "The alternatives go from the smallest change to the largest; they are: ${output.sentence}"
  }
}

run "quota_is_used_to_the_last_vcpu" {
  command = plan
  variables {
    node_type  = "Standard_F4s_v2"
    workers    = 4
    vcpu_quota = 20
  }
  assert {
    condition     = output.vcpus == 20 && output.fits
    error_message = "A cluster of exactly the quota starts."
  }
}

run "one_vcpu_less_than_needed_does_not_fit" {
  command = plan
  variables {
    node_type  = "Standard_F4s_v2"
    workers    = 4
    vcpu_quota = 19
  }
  assert {
    condition     = !output.fits
    error_message = "19 vCPUs cannot start 20."
  }
}

run "quota_below_the_smallest_size_fits_nothing" {
  command = plan
  variables {
    node_type  = "Standard_D4s_v3"
    vcpu_quota = 3
  }
  assert {
    condition     = !output.fits && strcontains(output.sentence, "No known size fits: the smallest needs 4.")
    error_message = "Nothing can be named that fits 3 vCPUs; the sentence is: ${output.sentence}"
  }
}

run "unknown_size_fits_nowhere_until_its_vcpus_are_given" {
  command = plan
  variables {
    node_type  = "Standard_NC6s_v3"
    vcpu_quota = 1000
  }
  assert {
    condition     = !output.known && !output.fits && output.vcpus == null
    error_message = "A size whose vCPUs nobody knows must not pass as small enough."
  }
  assert {
    condition     = strcontains(output.sentence, "give node_vcpus")
    error_message = "The sentence must say what to give; it is: ${output.sentence}"
  }
}

run "given_vcpus_count_for_a_size_outside_the_table" {
  command = plan
  variables {
    node_type  = "Standard_NC6s_v3"
    node_vcpus = 6
    workers    = 1
    vcpu_quota = 12
  }
  assert {
    condition     = output.known && output.vcpus == 12 && output.fits
    error_message = "node_vcpus stands in for the table."
  }
}

run "given_vcpus_go_before_the_table" {
  command = plan
  variables {
    node_type  = "Standard_DS3_v2"
    node_vcpus = 2
  }
  assert {
    condition     = output.vcpus == 2
    error_message = "Whoever gives node_vcpus knows better than the table."
  }
}

run "numbers_that_make_no_cluster_do_not_fit" {
  command = plan
  variables {
    node_type = "Standard_DS3_v2"
    workers   = -1
  }
  assert {
    condition     = !output.fits
    error_message = "No nodes at all would need 0 vCPUs, and would seem to fit."
  }
}

run "nodes_without_vcpus_do_not_fit" {
  command = plan
  variables {
    node_type  = "Standard_NC6s_v3"
    node_vcpus = 0
  }
  assert {
    condition     = !output.fits && output.most_workers == -1
    error_message = "A node of 0 vCPUs would seem to fit any quota."
  }
}

run "every_family_of_the_table_begins_with_the_smallest_size" {
  command = plan
  variables {
    node_type = "Standard_DS3_v2"
  }
  assert {
    condition     = length(local.families) == 24 && alltrue([for family in values(local.families) : min(values(family)...) == 4])
    error_message = "The sentence says that the smallest size needs 4 vCPUs, and looks for one in each family."
  }
  assert {
    condition     = length(local.node_types) == sum([for family in values(local.families) : length(family)])
    error_message = "No size may be in two families."
  }
}
