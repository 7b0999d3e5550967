"""Codes of the pack and of its sources."""

STATES = {"AC": "Acre", "AL": "Alagoas", "AM": "Amazonas", "AP": "Amapá", "BA": "Bahia", "CE": "Ceará",
          "DF": "Distrito Federal", "ES": "Espírito Santo", "GO": "Goiás", "MA": "Maranhão", "MG": "Minas Gerais",
          "MS": "Mato Grosso do Sul", "MT": "Mato Grosso", "PA": "Pará", "PB": "Paraíba", "PE": "Pernambuco",
          "PI": "Piauí", "PR": "Paraná", "RJ": "Rio de Janeiro", "RN": "Rio Grande do Norte", "RO": "Rondônia",
          "RR": "Roraima", "RS": "Rio Grande do Sul", "SC": "Santa Catarina", "SE": "Sergipe", "SP": "São Paulo",
          "TO": "Tocantins"}
REGIONS = {"Norte": "RO AC AM RR PA AP TO", "Nordeste": "MA PI CE RN PB PE AL SE BA", "Sudeste": "MG ES RJ SP",
           "Sul": "PR SC RS", "Centro-Oeste": "MS MT GO DF"}
REGION = {code: region for region, codes in REGIONS.items() for code in codes.split()}
# Regions parted where a coast makes a difference to pastimes; the two parts of a region share its weights.
SHORES = {"Norte": "RO AC AM RR TO", "Norte, costa": "PA AP", "Nordeste": "MA PI CE RN PB PE AL SE BA",
          "Minas Gerais": "MG", "Sudeste, costa": "ES RJ SP", "Sul": "PR SC RS", "Centro-Oeste": "MS MT GO DF"}
REGION_OF_SHORE = {"Norte, costa": "Norte", "Minas Gerais": "Sudeste", "Sudeste, costa": "Sudeste"}
INLAND = ["Norte", "Minas Gerais", "Centro-Oeste"]
SEX = {"Male": "Masculino", "Female": "Feminino"}
SEXES = ["Masculino", "Feminino"]
RACE = {"branca": "Branca", "preta": "Preta", "amarela": "Amarela", "parda": "Parda", "indigena": "Indígena"}
RACES = list(RACE.values())

DETAIL = {"sem_instrucao": "Sem instrução", "fundamental_incompleto": "Fundamental incompleto",
          "fundamental_completo": "Fundamental completo", "medio_incompleto": "Médio incompleto",
          "medio_completo": "Médio completo", "superior_incompleto": "Superior incompleto",
          "superior_completo": "Superior completo", "pos_graduacao": "Pós-graduação"}
EDUCATION4 = ["Sem instrução e fundamental incompleto", "Fundamental completo e médio incompleto",
              "Médio completo e superior incompleto", "Superior completo"]
OF_DETAIL = dict(zip(DETAIL.values(), [EDUCATION4[i // 2] for i in range(8)]))
PUBLISHED4 = {"sem_instrucao_ou_fundamental_incompleto": EDUCATION4[0], "ate_fundamental_incompleto": EDUCATION4[0],
              "fundamental_completo_ou_medio_incompleto": EDUCATION4[1],
              "medio_completo_ou_superior_incompleto": EDUCATION4[2], "superior_completo": EDUCATION4[3]}

CONJUGAL = {"solteiro": "Nunca viveu em união", "uniao_consensual": "União consensual", "casado": "Casamento",
            "separado_ou_divorciado": "Separação ou divórcio", "viuvo": "Viuvez"}
MARITAL = ["Solteiro", "Casado", "Divorciado", "Desquitado ou separado judicialmente", "Viúvo"]

RELIGION = {"catolica": "Católica apostólica romana", "evangelica": "Evangélica", "sem_religiao": "Sem religião",
            "espirita": "Espírita", "umbanda_e_candomble": "Umbanda e candomblé",
            "outras_religiosidades": "Outras religiosidades", "tradicoes_indigenas": "Tradições indígenas",
            "nao_declarada_ou_nao_sabe": "Não declarada ou não sabe"}
LABOUR = {"employed": "Ocupado", "unemployed": "Desocupado", "student": "Estudante", "retired": "Aposentado",
          "not_in_workforce": "Fora da força de trabalho"}

# The eleven groups of the published column, by the first digit of IBGE's classification (COD); X is ill defined.
GROUPS = {"0": "Membro das forças armadas, policial ou bombeiro militar", "1": "Diretor ou gerente",
          "2": "Profissional das ciências ou intelectual", "3": "Técnico ou profissional de nível médio",
          "4": "Trabalhador de apoio administrativo", "5": "Trabalhador dos serviços, vendedor do comércio ou mercado",
          "6": "Trabalhador qualificado da agropecuária, florestal, da caça ou da pesca",
          "7": "Trabalhador qualificado, operário ou artesão da construção, das artes mecânicas ou de outro ofício",
          "8": "Operador de instalação ou máquina ou montador", "9": "Ocupação elementar", "X": "Ocupação mal definida"}
SAMPLE_GROUPS = {"forcas_armadas_policiais_bombeiros": "0", "diretores_e_gerentes": "1",
                 "profissionais_das_ciencias_e_intelectuais": "2", "tecnicos_nivel_medio": "3",
                 "apoio_administrativo": "4", "servicos_e_vendedores": "5", "agropecuaria_qualificados": "6",
                 "operarios_e_artesaos": "7", "operadores_de_maquinas": "8", "ocupacoes_elementares": "9"}

POSITIONS = {"private_employee_formal": "Empregado do setor privado com carteira",
             "private_employee_informal": "Empregado do setor privado sem carteira",
             "domestic_worker_formal": "Trabalhador doméstico com carteira",
             "domestic_worker_informal": "Trabalhador doméstico sem carteira",
             "public_employee_formal": "Empregado do setor público com carteira",
             "public_employee_informal": "Empregado do setor público sem carteira",
             "military_or_statutory_public_servant": "Militar ou servidor estatutário", "employer": "Empregador",
             "self_employed": "Conta própria", "unpaid_family_worker": "Trabalhador familiar auxiliar"}
POSITION6 = {"private_employee_formal": "private_formal", "private_employee_informal": "private_informal",
             "public_sector": "public", "self_employed": "self_employed", "domestic_worker": "domestic",
             "employer_or_unpaid_family_worker": "employer_or_family"}

AGE5 = ["18-19", "20-24", "25-29", "30-34", "35-39", "40-44", "45-49", "50-54", "55-59", "60-64", "65-69", "70-74",
        "75-79", "80+"]
AGE_WORK = ["18-20", "21-24", "25-29", "30-39", "40-49", "50-59", "60-69", "70+"]
