# vCPUs of the Azure VM sizes that Databricks offers in the D, E and F families, versions 1 to 5.
# Sizes below 4 vCPUs are left out because Databricks starts no cluster on them. From version 3 on the number in a
# size's name is its vCPU count, so that a family is its name's pattern and its counts; the older names are written out.
# Sizes with constrained cores (Standard_E8-4ds_v5) are left out: their name's first number is not what they run.
locals {
  named_families = {
    "DSv2" = { Standard_DS3_v2 = 4, Standard_DS4_v2 = 8, Standard_DS5_v2 = 16 }
    "DSv2 with much memory" = {
      Standard_DS12_v2 = 4, Standard_DS13_v2 = 8, Standard_DS14_v2 = 16, Standard_DS15_v2 = 20
    }
    "Dv2" = { Standard_D3_v2 = 4, Standard_D4_v2 = 8, Standard_D5_v2 = 16 }
    "Dv2 with much memory" = {
      Standard_D12_v2 = 4, Standard_D13_v2 = 8, Standard_D14_v2 = 16, Standard_D15_v2 = 20
    }
    "Fs" = { Standard_F4s = 4, Standard_F8s = 8, Standard_F16s = 16 }
  }

  numbered_families = {
    "Standard_D%d_v3"    = [4, 8, 16, 32, 48, 64]
    "Standard_D%ds_v3"   = [4, 8, 16, 32, 48, 64]
    "Standard_D%das_v4"  = [4, 8, 16, 32, 48, 64, 96]
    "Standard_D%ds_v4"   = [4, 8, 16, 32, 48, 64]
    "Standard_D%dds_v4"  = [4, 8, 16, 32, 48, 64]
    "Standard_D%das_v5"  = [4, 8, 16, 32, 48, 64, 96]
    "Standard_D%dads_v5" = [4, 8, 16, 32, 48, 64, 96]
    "Standard_D%ds_v5"   = [4, 8, 16, 32, 48, 64, 96]
    "Standard_D%dds_v5"  = [4, 8, 16, 32, 48, 64, 96]
    "Standard_E%d_v3"    = [4, 8, 16, 20, 32, 48, 64]
    "Standard_E%ds_v3"   = [4, 8, 16, 20, 32, 48, 64]
    "Standard_E%das_v4"  = [4, 8, 16, 20, 32, 48, 64, 96]
    "Standard_E%ds_v4"   = [4, 8, 16, 20, 32, 48, 64]
    "Standard_E%dds_v4"  = [4, 8, 16, 20, 32, 48, 64]
    "Standard_E%das_v5"  = [4, 8, 16, 20, 32, 48, 64, 96]
    "Standard_E%dads_v5" = [4, 8, 16, 20, 32, 48, 64, 96]
    "Standard_E%ds_v5"   = [4, 8, 16, 20, 32, 48, 64, 96]
    "Standard_E%dds_v5"  = [4, 8, 16, 20, 32, 48, 64, 96]
    "Standard_F%ds_v2"   = [4, 8, 16, 32, 48, 64, 72]
  }

  families = merge(local.named_families, {
    for pattern, counts in local.numbered_families : pattern => { for count in counts : format(pattern, count) => count }
  })

  node_types = merge(values(local.families)...)
}
